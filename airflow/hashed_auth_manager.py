"""Airflow's simple auth manager, with the hashed passwords of logins.py in place of plain ones.

Airflow's other auth managers need a version of Flask that MLflow excludes.
"""

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.simple.datamodels.login import LoginBody
from airflow.api_fastapi.auth.managers.simple.services.login import SimpleAuthManagerLogin
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.configuration import conf
from fastapi import HTTPException, status
from logins import authenticate, logins_file

SECONDS = conf.getint("api_auth", "jwt_expiration_time")


def create_token(body: LoginBody, expiration_time_in_seconds: int = SECONDS) -> str:
    """A token for whoever knows a login's password; else a 401 that does not say what is wrong."""
    role = authenticate(logins_file(), body.username, body.password)
    if role is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, detail="Invalid credentials")
    user = SimpleAuthManagerUser(username=body.username, role=role.upper())
    return get_auth_manager().generate_jwt(
        user=user, expiration_time_in_seconds=expiration_time_in_seconds
    )


# The routes of the simple auth manager call it by this name.
SimpleAuthManagerLogin.create_token = staticmethod(create_token)


class HashedAuthManager(SimpleAuthManager):
    """The simple auth manager without its file of plain passwords."""

    def init(self) -> None:
        """Make no passwords."""
        BaseAuthManager.init(self)
