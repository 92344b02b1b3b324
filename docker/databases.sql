-- PostgreSQL makes Airflow's own database; this one is MLflow's.
CREATE DATABASE mlflow;
