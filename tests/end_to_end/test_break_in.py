"""Attempts to get into the deployed system's two servers, each refused; without containers."""

import json

import pytest
import requests

from tests.end_to_end import test_celery as celery
from tests.end_to_end.test_celery import system_in, wait_until

pytestmark = [*celery.pytestmark, pytest.mark.slow]

PASSWORD = "correct horse battery"
SERVICES = ("api-server", "mlflow", "metrics")
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """PostgreSQL, Airflow's API server and MLflow's; a viewer in each."""
    with system_in(tmp_path_factory.mktemp("system")) as system:
        system.main.run("docker/start", "migrate")
        for service in SERVICES:
            system.start(service, "docker/start", service)
        for service in SERVICES:
            wait_until(lambda: system.healthy(service), service)  # noqa: B023 - called at once
        yield system


@pytest.fixture(scope="module")
def airflow(system):
    return f"http://127.0.0.1:{system.ports['AIRFLOW_PORT']}"


@pytest.fixture(scope="module")
def mlflow(system):
    return f"http://127.0.0.1:{system.ports['MLFLOW_PORT']}"


def secret(system, name):
    return (system.folder / "secrets" / name).read_text()


def token(airflow, name, password):
    """What Airflow answers to a login."""
    login = {"username": name, "password": password}
    return requests.post(f"{airflow}/auth/token", json=login, timeout=60)


@pytest.fixture(scope="module")
def viewer(system, airflow):
    """Headers of someone who may look at Airflow."""
    logins = system.main.folder / ".airflow/logins/logins.json"
    set_login = (
        f"echo {PASSWORD} | AIRFLOW_LOGINS={logins} python airflow/logins.py set anna viewer"
    )
    system.main.run("bash", "-c", set_login)
    return {"Authorization": f"Bearer {token(airflow, 'anna', PASSWORD).json()['access_token']}"}


@pytest.fixture(scope="module")
def admin(system):
    """MLflow's administrator."""
    return "admin", secret(system, "mlflow")


@pytest.fixture(scope="module")
def anna(mlflow, admin):
    """A user of MLflow."""
    user = {"username": "anna", "password": PASSWORD}
    url = f"{mlflow}/api/2.0/mlflow/users/create"
    assert requests.post(url, json=user, auth=admin, timeout=60).ok
    return "anna", PASSWORD


@pytest.fixture(scope="module")
def run_of_another(mlflow, admin):
    """A run that the administrator made."""
    made = call(mlflow, "experiments/create", admin, name="theirs").json()
    made = call(mlflow, "runs/create", admin, experiment_id=made["experiment_id"]).json()
    return made["run"]["info"]["run_id"]


def call(mlflow, method, auth, **body):
    return requests.post(f"{mlflow}/api/2.0/mlflow/{method}", json=body, auth=auth, timeout=60)


def test_airflow_lets_in_its_admin(system, airflow):
    assert token(airflow, "admin", secret(system, "airflow")).status_code == 201


@pytest.mark.parametrize(
    ("name", "password"),
    [("admin", "admin"), ("admin", ""), ("airflow", "airflow"), ("", ""), ("admin", "0" * 48)],
)
def test_airflow_refuses_wrong_passwords(airflow, name, password):
    assert token(airflow, name, password).status_code in (400, 401, 422)


@pytest.mark.parametrize("path", ["dags", "pools", "variables", "connections", "config"])
def test_airflow_answers_nobody_without_a_token(airflow, path):
    for headers in ({}, {"Authorization": "Bearer e30.e30.e30"}):
        answer = requests.get(f"{airflow}/api/v2/{path}", headers=headers, timeout=60)
        assert answer.status_code in (401, 403)


def test_there_is_no_token_for_all(airflow):
    assert requests.get(f"{airflow}/auth/token", timeout=60).status_code in (401, 403)


def test_a_viewer_of_airflow_looks_and_changes_nothing(airflow, viewer):
    def send(method, path, **options):
        url = f"{airflow}/api/v2/{path}"
        return requests.request(method, url, headers=viewer, timeout=60, **options).status_code

    assert send("GET", "dags") == 200
    assert send("POST", "dags/retrain/dagRuns", json={"logical_date": None}) == 403
    assert send("DELETE", "dags/retrain/dagRuns/run") == 403
    assert send("PATCH", "dags/retrain/dagRuns/run", json={"state": "failed"}) == 403
    assert send("POST", "pools", json={"name": "mine", "slots": 9}) == 403
    assert send("GET", "connections") == 403


def test_mlflow_lets_in_its_admin(mlflow, admin):
    assert requests.get(f"{mlflow}{SEARCH}", auth=admin, timeout=60).ok


@pytest.mark.parametrize(
    "auth", [None, ("admin", ""), ("admin", "admin"), ("admin", "password1234"), ("x", "y")]
)
@pytest.mark.parametrize(
    "path",
    [SEARCH, "/", "/ajax-api/2.0/mlflow/experiments/search?max_results=1", "/graphql", "/metrics"],
)
def test_mlflow_answers_nobody_without_the_password(mlflow, auth, path):
    assert requests.get(f"{mlflow}{path}", auth=auth, timeout=60).status_code in (401, 403)


def test_another_user_s_run_is_read_and_not_changed(mlflow, anna, admin, run_of_another):
    url = f"{mlflow}/api/2.0/mlflow/runs/get?run_id={run_of_another}"
    assert requests.get(url, auth=anna, timeout=60).ok
    metric = {"run_id": run_of_another, "key": "test/accuracy", "value": 1, "timestamp": 0}
    for method, body in {
        "runs/log-metric": metric,
        "runs/delete": {"run_id": run_of_another},
        "runs/set-tag": {"run_id": run_of_another, "key": "x", "value": "y"},
        "runs/update": {"run_id": run_of_another, "status": "FAILED"},
    }.items():
        assert call(mlflow, method, anna, **body).status_code == 403
    assert call(mlflow, "runs/log-metric", admin, **metric).ok


def test_only_an_admin_makes_users(mlflow, anna):
    user = {"username": "eve", "password": PASSWORD, "is_admin": True}
    assert call(mlflow, "users/create", anna, **user).status_code == 403
    url = f"{mlflow}/api/2.0/mlflow/users/update-admin"
    body = {"username": "anna", "is_admin": True}
    assert requests.patch(url, json=body, auth=anna, timeout=60).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:5000"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_mlflow_answers_no_foreign_host_or_origin(mlflow, admin, headers):
    body = {"name": f"by {headers}"}
    url = f"{mlflow}/api/2.0/mlflow/experiments/create"
    answer = requests.post(url, json=body, auth=admin, headers=headers, timeout=60)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path",
    ["../secrets/postgres", "%2e%2e/secrets/postgres", "a/..%2f..%2fsecrets/postgres"],
)
def test_no_artifact_leads_out_of_their_folder(system, mlflow, admin, path):
    url = f"{mlflow}/api/2.0/mlflow-artifacts/artifacts/{path}"
    for method in ("GET", "PUT", "DELETE"):
        answer = send(method, url, auth=admin)
        assert not answer.ok or secret(system, "postgres") not in answer.text
        assert answer.status_code >= 400
    assert secret(system, "postgres") != "evil"


def send(method, url, *, auth, **options):
    """A request to the very address: `requests` would resolve its dots."""
    request = requests.Request(method, url, auth=auth, data=b"evil").prepare()
    request.url = url
    return requests.Session().send(request, timeout=60, **options)


@pytest.mark.parametrize("path", ["/etc/passwd", "%2fetc%2fpasswd"])
def test_an_absolute_path_is_no_artifact(mlflow, admin, path):
    url = f"{mlflow}/api/2.0/mlflow-artifacts/artifacts/{path}"
    for method in ("GET", "PUT"):
        assert send(method, url, auth=admin).status_code >= 400
    led = send("DELETE", url, auth=admin, allow_redirects=False)
    assert led.status_code == 308
    assert led.headers["Location"].endswith("/mlflow-artifacts/artifacts/etc/passwd")


def test_no_model_version_is_made_of_a_file_of_the_server(mlflow, admin, run_of_another):
    call(mlflow, "registered-models/create", admin, name="evil")
    for source in ("file:///etc", "/etc", "s3://other/../x", "mlflow-artifacts:/../../etc"):
        body = {"name": "evil", "source": source, "run_id": run_of_another}
        answer = call(mlflow, "model-versions/create", admin, **body)
        assert answer.status_code == 400, (source, json.dumps(answer.json()))


def test_metrics_tell_of_the_services_and_no_secret(system):
    url = f"http://127.0.0.1:{system.ports['METRICS_PORT']}/metrics"
    text = requests.get(url, timeout=60).text
    for part in ("database", "api-server", "mlflow", "disks"):
        assert f'pipeline_up{{part="{part}"}} 1.0' in text
    assert 'pipeline_up{part="queue"} 0.0' in text  # no Redis was started here
    assert not any(each.read_text() in text for each in (system.folder / "secrets").iterdir())
