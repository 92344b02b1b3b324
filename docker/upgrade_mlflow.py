"""Bring MLflow's database at $MLFLOW_BACKEND_STORE_URI to the installed release's schema.

MLflow's server fills an empty database by itself, and refuses one of an earlier release.
"""

import os

from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine_with_retry
from sqlalchemy import inspect

engine = create_sqlalchemy_engine_with_retry(os.environ["MLFLOW_BACKEND_STORE_URI"])
if inspect(engine).has_table("alembic_version"):
    _upgrade_db(engine)
