"""MLflow runs, brought up to date from what is on disk."""
