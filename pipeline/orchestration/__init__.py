"""The pipeline as Airflow runs it: graph, work trees, their synchronization, arrivals, inbox."""
