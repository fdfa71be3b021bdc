"""What `inv doctor` says of a host, each fault on its own line and on no other."""

import json
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.core.checks import Status
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.settings import ROOT, Settings
from scripts.doctor import host_rows, report
from scripts.doctor.report import Report
from scripts.doctor.rows import Row
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says

_INFO: dict[str, Any] = {
    "ServerVersion": "28.0.1",
    "NCPU": 4,
    "MemTotal": 8 * 1024**3,
    "DockerRootDir": "/nowhere",
    "ClientInfo": {"Plugins": [{"Name": "compose", "Version": "v5.6.1"}]},
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"],
    "MemoryLimit": True,
    "PidsLimit": True,
    "CgroupVersion": "2",
}
_KERNEL = {
    "overcommit_memory": says("1\n"),
    "transparent_hugepage": says("always [madvise] never\n"),
    "somaxconn": says("4096\n"),
}


@pytest.fixture(autouse=True)
def _there_is_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(host_rows, "resolver", lambda: None)


def _project(root: Path, env: str = "") -> Path:
    for name in ("nginx", "odoo", "postgres", "redis", "toolbox"):
        (root / name).mkdir()
    for name in ("compose.yaml", "compose.prod.yaml", "odoo/odoo.conf"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    ports = "NGINX_HTTP_PORT=21990\nODOO_PORT=21991\nMAIL_PORT=21992\n"
    (root / ".env").write_text(ports + env)
    (root / ".env").chmod(0o600)
    return root


def _exec(path: str) -> str:
    return f"docker exec redis cat {path}"


def _healthy(**info: object) -> dict[str, Completed | OpsError]:
    return {
        "docker info": says(json.dumps({**_INFO, **info})),
        "docker context show": says("colima\n"),
        "docker ps": says('{"Service": "redis", "Name": "redis"}'),
        "docker ps --all": says(),  # that of another folder, if any
        _exec("/proc/sys/vm/overcommit_memory"): _KERNEL["overcommit_memory"],
        _exec("/sys/kernel/mm/transparent_hugepage/enabled"): _KERNEL["transparent_hugepage"],
        _exec("/proc/sys/net/core/somaxconn"): _KERNEL["somaxconn"],
        "timedatectl": says("yes\n"),
    }


def _look(root: Path, answers: dict[str, Completed | OpsError]) -> Report:
    return report.look(Stack(Settings.load(root), FakeRunner(answers)))


def _rows(found: Report) -> dict[str, Row]:
    return {row.name: row for row in found.checks}


def _bad(found: Report) -> dict[str, Row]:
    return {r.name: r for r in found.checks if r.status in (Status.WARNING, Status.FAILED)}


def test_a_healthy_host_has_no_fault(tmp_path: Path) -> None:
    found = _look(_project(tmp_path), _healthy())
    assert _bad(found) == {}
    assert not found.failed
    assert (found.cpus, found.memory) == (4, 8 * 1024**3)
    text = "\n".join(found.lines(lambda text, _: text))
    assert "Engine: ✓ OK: 28.0.1, 4 CPUs, 8.0 GiB" in text
    assert "Sizes in production, for 4 CPUs and 8.0 GiB" in text
    assert "Nothing has to be corrected" in text


_NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("name", "level", "detail", "change"),
    [
        ("Rootless", "warning", "below 1024", {"SecurityOptions": ["name=rootless"]}),
        ("SELinux and AppArmor", "warning", "SELinux", {"SecurityOptions": ["name=selinux"]}),
        ("Limits", "warning", "limit memory", {"MemoryLimit": False}),
        ("Memory", "failed", "1.0 GiB", {"MemTotal": 1024**3}),
        (
            "Clock",
            "warning",
            "s behind",
            {"SystemTime": (_NOW - timedelta(seconds=90)).isoformat()},
        ),
        (
            "Clock",
            "failed",
            "s ahead of",
            {"SystemTime": (_NOW + timedelta(days=1)).isoformat()},
        ),
    ],
)
def test_a_fault_of_the_engine_is_on_its_line(
    tmp_path: Path, name: str, level: str, detail: str, change: dict[str, object]
) -> None:
    found = _look(_project(tmp_path), _healthy(**change))
    (row,) = _bad(found).values()
    assert (row.name, row.status.value) == (name, level)
    assert detail in row.detail
    assert row.hint
    assert found.failed is (level == "failed")


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("Memory overcommit", "/proc/sys/vm/overcommit_memory", "0"),
        ("Huge pages", "/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never"),
        ("Connection backlog", "/proc/sys/net/core/somaxconn", "128"),
    ],
)
def test_a_setting_of_the_kernel_is_on_its_line(
    tmp_path: Path, name: str, path: str, value: str
) -> None:
    found = _look(_project(tmp_path), {**_healthy(), _exec(path): says(value)})
    (row,) = _bad(found).values()
    assert (row.name, row.status) == (name, Status.WARNING)
    assert "sudo" in row.hint


def test_a_clock_that_nobody_sets_is_a_warning(tmp_path: Path) -> None:
    found = _look(_project(tmp_path), {**_healthy(), "timedatectl": says("no\n")})
    assert list(_bad(found)) == ["Time"]


@pytest.mark.parametrize(
    "trouble",
    [
        {"docker info": says(code=1, stderr="Cannot connect to the Docker daemon")},
        {"docker info": OpsError("`docker info` gave no answer within 30 s")},
    ],
)
def test_without_an_engine_the_rest_is_checked(
    tmp_path: Path, trouble: dict[str, Completed | OpsError]
) -> None:
    answers = {**_healthy(), **trouble, "docker ps": OpsError("no engine")}
    found = _look(_project(tmp_path, "ODOO_PORT=21990\n"), answers)
    rows = _rows(found)
    assert {r.name for r in found.checks if r.status is Status.FAILED} == {"Engine", ".env"}
    assert "NGINX_HTTP_PORT and ODOO_PORT" in rows[".env"].detail
    for name in ("Compose", "Rootless", "Limits", "Clock", "Project name", "Images"):
        assert (rows[name].status, rows[name].detail) == (Status.UNKNOWN, "no engine answers")
    assert rows["Port 21990"].status is Status.OK
    assert found.sizes == []
    assert "Not checked: " in "\n".join(found.lines(lambda text, _: text))


def test_without_docker_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    missing = OpsError("the program 'docker' is not installed")
    found = _look(_project(tmp_path), {"docker": missing})
    rows = _rows(found)
    assert rows["Engine"].detail == "Docker is not installed"
    assert rows["Context"].status is Status.UNKNOWN
    with socket.create_server(("127.0.0.1", 21991)):
        taken = _rows(_look(tmp_path, {"docker": missing}))["Port 21991"]
    assert taken.status is Status.FAILED
    assert "taken by " in taken.detail


def test_faults_of_the_folder_are_on_their_lines(tmp_path: Path) -> None:
    root = _project(tmp_path, "THEIR_PASSWORD=abcdefgh\nPOSTGRES_IMAGE=postgres:latest\n")
    (root / ".env").chmod(0o644)
    (root / "redis").rmdir()
    (root / "secrets").mkdir(mode=0o755)
    found = _bad(_look(root, _healthy()))
    assert set(found) == {".env", "Mounted folders", "Secrets", "Images"}
    assert "every user of this machine can read THEIR_PASSWORD" in found[".env"].detail
    assert found["Mounted folders"].detail == "missing: redis"
    assert "does not exist" in found["Secrets"].detail
    assert "POSTGRES_IMAGE=postgres:latest" in found["Images"].detail


def test_colima_is_measured_against_what_is_recommended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    small = {"cpu": 2, "memory": 2 * 1024**3, "disk": 80 * 1024**3, "arch": "x86_64"}
    status = "colima status --json"
    answers = {**_healthy(Name="colima"), status: says(json.dumps(small))}
    row = _bad(_look(_project(tmp_path), answers))["Colima"]
    assert "cpu 2, memory 2 GB" in row.detail
    assert "disk" not in row.detail
    assert "emulates x86_64 on arm64" in row.detail
    right = {"cpu": 6, "memory": 12 * 1024**3, "disk": 80 * 1024**3, "arch": "aarch64"}
    answers[status] = says(json.dumps(right | {"mount_type": "virtiofs"}))
    assert _rows(_look(tmp_path, answers))["Colima"].detail == "aarch64, virtiofs"
    answers[status] = says(code=1)
    assert _rows(_look(tmp_path, answers))["Colima"].status is Status.UNKNOWN
