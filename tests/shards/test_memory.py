import psutil
import pytest

from pipeline.shards.memory import free_memory

GB = 1 << 30


def group(folder, version, *, limit, used, cached=0):
    limit_file, usage_file, cached_name = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }[version]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit_file).write_text(f"{limit}\n")
    (folder / usage_file).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"active_file 7\n{cached_name} {cached}\n")


@pytest.fixture
def machine(monkeypatch):
    """A machine with 64 GB free."""
    memory = type("memory", (), {"available": 64 * GB})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


@pytest.fixture
def membership(tmp_path):
    def write(*lines):
        (tmp_path / "cgroup").write_text("\n".join(lines))
        return tmp_path / "cgroup"

    return write


def test_without_control_groups_it_is_what_the_machine_has(machine, tmp_path):
    assert free_memory(tmp_path / "none", tmp_path / "none") == 64 * GB


@pytest.mark.parametrize(("version", "folder"), [(1, "memory"), (2, "")])
def test_a_container_s_limit_counts_less_what_is_used(
    machine, tmp_path, membership, version, folder
):
    group(tmp_path / folder, version, limit=4 * GB, used=3 * GB, cached=GB // 2)
    assert free_memory(tmp_path, membership("0::/")) == GB + GB // 2


def test_the_group_above_may_set_the_limit(machine, tmp_path, membership):
    group(tmp_path / "job/step", 2, limit="max", used=GB)
    group(tmp_path / "job", 2, limit=8 * GB, used=2 * GB)
    assert free_memory(tmp_path, membership("0::/job/step")) == 6 * GB


def test_version_1_is_found_by_its_controller(machine, tmp_path, membership):
    group(tmp_path / "memory/job", 1, limit=2 * GB, used=GB)
    lines = ("5:devices:/other", "4:memory:/job", "0::/")
    assert free_memory(tmp_path, membership(*lines)) == GB


def test_a_group_over_its_limit_leaves_nothing(machine, tmp_path, membership):
    group(tmp_path, 2, limit=GB, used=2 * GB)
    assert free_memory(tmp_path, membership("0::/")) == 0


def test_of_this_machine_it_is_something():
    assert 0 < free_memory() <= psutil.virtual_memory().total
