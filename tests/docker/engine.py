"""Images built and started without a Docker engine, by buildah and podman.

All that runs is in namespaces whose first process ends with this one, however that comes about: the
kernel then ends all others, and drops mounts and networks. Only the folder of images lasts; later
runs build on it.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent / "stand_ins"
FOLDER = ROOT / ".images"
SEARCH = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/usr/lib/podman"
PACKAGES = ["buildah", "podman", "runc", "netavark", "aardvark-dns", "iptables", "debootstrap"]
PROGRAMS = ["catatonit", "unshare", "nsenter", "setpriv", "ip", "docker-compose", "weed", "airflow"]
NEEDED = [*PACKAGES, *PROGRAMS]
# Nothing can be pulled where there is no registry: Debian's own Python, PostgreSQL and Redis, and
# SeaweedFS of its Python package, take the places of the images of these names.
BASE = "docker.io/library/python:3.11.13-slim-bookworm"
SETTINGS = {
    "containers.conf": """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
[network]
network_config_dir = "/run/networks"
""",
    "storage.conf": f"""
[storage]
driver = "overlay"
graphroot = "{FOLDER}/storage"
runroot = "/run/storage"
""",
    "registries.conf": """
unqualified-search-registries = ["docker.io"]
short-name-mode = "permissive"
""",
    "pip.conf": """
[global]
cert = /etc/ssl/certs/ca-certificates.crt
timeout = 180
""",
    "uv.toml": "system-certs = true",
}


def missing() -> str | None:
    """Why images cannot be built and started here; None if they can."""
    if os.getuid():
        return "only root can make namespaces and mounts"
    if absent := [name for name in NEEDED if not shutil.which(name, path=SEARCH)]:
        return f"not installed: {', '.join(absent)}; .ci/run installs them"
    namespaces = ["unshare", "--mount", "--net", "--pid", "--fork", "true"]
    refused = subprocess.run(namespaces, capture_output=True, text=True, check=False)
    return f"no namespaces: {refused.stderr}" if refused.returncode else unreachable()


def unreachable() -> str | None:
    """Which packages a build would not get, by the ways that it takes; None if it gets all."""
    try:
        with urlopen(f"{mirror()}/dists/bookworm/Release", timeout=60):
            pass
    except OSError as error:
        return f"Debian's packages cannot be had: {error}"
    ask = ["uv", "pip", "compile", "--quiet", "--no-cache", "--no-deps", "--no-python-downloads"]
    asked = subprocess.run(
        [*ask, "--config-file", FOLDER / "uv.toml", "-"],
        input="pip",
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return f"Python's packages cannot be had: {asked.stderr}" if asked.returncode else None


def environment() -> dict[str, str]:
    """What podman, buildah and Docker Compose are told."""
    (FOLDER / "tmp").mkdir(parents=True, exist_ok=True)
    for name, text in SETTINGS.items():
        (FOLDER / name).write_text(text)
    return {
        "PATH": SEARCH,
        "HOME": str(FOLDER),
        "TMPDIR": str(FOLDER / "tmp"),
        "CONTAINERS_CONF": str(FOLDER / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(FOLDER / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(FOLDER / "registries.conf"),
        "DOCKER_HOST": "unix:///run/podman.sock",
    }


class Sandbox:
    """Namespaces of mounts, processes and, unless it is the host's, network."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        self.process = process
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        self.first = children.read_text().split()[0]
        self.environment = environment()
        self.started: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        """End all that runs inside, by ending its first process."""
        self.process.kill()
        self.process.communicate()
        while self.alive():
            time.sleep(0.1)
        for each in self.started:
            each.wait()
        remove_groups()

    def command(self, *command: str | Path) -> list[str]:
        """The command line that runs `command` inside."""
        enter = ["setpriv", "--pdeathsig", "KILL", "nsenter", "--target", self.first]
        return [*enter, "--mount", "--net", "--pid", "--wdns=/", *map(str, command)]

    def alive(self) -> bool:
        """Whether the first process is there, and with it the rest."""
        return Path(f"/proc/{self.first}").exists()

    def run(self, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end."""
        done = subprocess.run(
            self.command(*command),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-4000:]}")
        return done

    def start(self, *command: str | Path, log: Path) -> subprocess.Popen[str]:
        """Start a program that ends with the sandbox."""
        with log.open("a") as file:
            process = subprocess.Popen(
                self.command(*command), env=self.environment, stdout=file, stderr=file, text=True
            )
        self.started.append(process)
        return process


@contextmanager
def sandbox(*, network: bool) -> Iterator[Sandbox]:
    """Namespaces until the end of the block; with a network of their own, or the host's."""
    kinds = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    kinds += ["--net"] if network else []
    prepare = "mount -t tmpfs none /run && ip link set lo up && echo ready && exec sleep infinity"
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", *kinds, "sh", "-c", prepare],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    box = Sandbox(process)
    try:
        yield box
    finally:
        box.close()


def remove_groups() -> None:
    """Remove the control groups that containers leave: folders, which have no processes now."""
    for parent in Path("/sys/fs/cgroup").glob("**/libpod_parent"):
        for group in sorted(parent.glob("**/"), reverse=True):
            with suppress(OSError):  # another run's
                group.rmdir()


def build_images(project: Path) -> None:
    """Build what the compose file of `project` names, on stand-ins for what would be pulled."""
    with sandbox(network=False) as box:
        if box.run("podman", "image", "exists", BASE, check=False).returncode:
            make_base(box)
        shutil.copy(shutil.which("weed", path=SEARCH) or "", FOLDER / "weed")
        build(box, STAND_INS / "postgres.Dockerfile", "library/postgres:17.6-bookworm", STAND_INS)
        build(box, STAND_INS / "redis.Dockerfile", "library/redis:8.2.2-bookworm", STAND_INS)
        build(box, STAND_INS / "seaweedfs.Dockerfile", "chrislusf/seaweedfs:4.48", FOLDER)
        for target in ("services", "worker"):
            name = f"library/video-classification-{target}:0.1.0"
            build(box, unpinned(project / "docker/Dockerfile"), name, project, "--target", target)
        store = "library/video-classification-store:0.1.0"
        build(box, unpinned(project / "docker/store.Dockerfile"), store, project)


def unpinned(dockerfile: Path) -> Path:
    """A copy without digests, which stand-ins cannot have."""
    copy = FOLDER / dockerfile.name
    copy.write_text(re.sub("@sha256:[0-9a-f]{64}", "", dockerfile.read_text()))
    return copy


def make_base(box: Sandbox) -> None:
    """Make the image that all others begin with: Debian, and Python where Docker's has it."""
    folder = FOLDER / "base"
    shutil.rmtree(folder, ignore_errors=True)
    include = "--include=ca-certificates,python3,python3-venv,wget"
    box.run("debootstrap", "--variant=minbase", include, "bookworm", folder, mirror())
    box.run("chroot", folder, "python3", "-m", "venv", "/usr/local")
    box.run("chroot", folder, "apt-get", "clean")
    box.run("sh", "-c", f"tar -C {folder} -c . | podman import - {BASE}")
    shutil.rmtree(folder)


def mirror() -> str:
    """Where this machine's apt has Debian's packages from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    found = (address.rstrip("/") for address in listed)
    return next((address for address in found if address.endswith("/debian")), "file:///no-mirror")


def build(box: Sandbox, dockerfile: Path, name: str, context: Path, *options: str) -> None:
    """Build an image; layers that nothing changed are taken from the last build."""
    mounts = {
        Path("/etc/ssl/certs/ca-certificates.crt"): "/etc/ssl/certs/ca-certificates.crt",
        FOLDER / "pip.conf": "/etc/pip.conf",
        FOLDER / "uv.toml": "/etc/uv/uv.toml",
    }
    box.run(
        *("buildah", "bud", "--isolation", "chroot", "--network", "host", "--pull-never"),
        *("--layers", "--format", "docker", "--file", dockerfile, "--tag", f"docker.io/{name}"),
        *(f"--volume={path}:{target}:ro" for path, target in mounts.items()),
        *options,
        context,
    )
