"""MLflow as a mirror of what is on disk: runs, live and afterwards.

MLflow reads its settings from the environment, some of them while it is imported, so they are made
here, before any module of this package can import it. What the user has set stays as it is.
"""

import os

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow's own (120 s, seven retries) would take minutes to find that a server is away.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}

for _name, _value in _SETTINGS.items():
    os.environ.setdefault(_name, _value)
