"""Logins to Airflow in one file: names, roles and hashed passwords.

python airflow/logins.py set anna viewer   # its password from stdin; else one is made and printed
python airflow/logins.py remove anna
python airflow/logins.py list

A viewer reads; a user also triggers, clears and stops runs; an op also changes pools, variables and
connections; an admin may do all. Changes count at once; a session lasts a day.
"""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROLES = ("viewer", "user", "op", "admin")
LEAST = 12  # characters of a password
COST = {"n": 1 << 14, "r": 8, "p": 1}  # of scrypt: 16 MB, and some 50 ms a guess

Logins = dict[str, dict[str, str]]


def logins_file() -> Path:
    """Where the logins are."""
    return Path(os.environ["AIRFLOW_LOGINS"])


def read_logins(path: Path) -> Logins:
    """All logins by name: role, salt and hash."""
    logins: Logins = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return logins


def authenticate(path: Path, name: str, password: str) -> str | None:
    """The role of a login; None if there is none of that name, or the password is another."""
    login = read_logins(path).get(name)
    salt = login["salt"] if login else ""  # as long for names that do not exist
    same = hmac.compare_digest(_hash(password, salt), login["hash"] if login else "")
    return login["role"] if login and same else None


def set_login(path: Path, name: str, role: str, password: str) -> None:
    """Add a login, or replace it."""
    if not name.isidentifier():
        sys.exit(f"{name!r} cannot name a login; use letters, digits and underscores")
    if role not in ROLES:
        sys.exit(f"{role!r} is not a role; the roles are {', '.join(ROLES)}")
    if len(password) < LEAST:
        sys.exit(f"the password has {len(password)} characters; at least {LEAST} are needed")
    salt = secrets.token_hex(16)
    with _changed(path) as logins:
        logins[name] = {"role": role, "salt": salt, "hash": _hash(password, salt)}


def remove_login(path: Path, name: str) -> None:
    """Remove a login."""
    with _changed(path) as logins:
        if logins.pop(name, None) is None:
            sys.exit(f"there is no login {name!r}")


def _hash(password: str, salt: str) -> str:
    key = hashlib.scrypt(password.encode(), salt=salt.encode(), **COST)
    return base64.b64encode(key).decode()


@contextmanager
def _changed(path: Path) -> Iterator[Logins]:
    """The logins to change; written whole, by one process at a time, for the owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        logins = read_logins(path)
        yield logins
        aside = path.with_name(f"{path.name}.part")
        aside.write_text(json.dumps(logins, indent=1), encoding="utf-8")
        aside.replace(path)


def main(action: str = "", name: str = "", role: str = "") -> None:
    """Run the command line."""
    path = logins_file()
    if action == "set":
        typed = "" if sys.stdin.isatty() else sys.stdin.read().strip()
        password = typed or secrets.token_urlsafe(15)
        set_login(path, name, role, password)
        if not typed:
            sys.stdout.write(f"{password}\n")
    elif action == "remove":
        remove_login(path, name)
    elif action == "list":
        for each, login in sorted(read_logins(path).items()):
            sys.stdout.write(f"{each} {login['role']}\n")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
