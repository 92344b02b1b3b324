"""The pipeline as Airflow runs it: graph, work trees, hand-over, arrivals, inbox."""
