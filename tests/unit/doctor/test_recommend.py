"""Recommended sizes: right for every machine, and written where they differ."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core import configuration, sizes
from scripts.core.errors import OpsError
from scripts.core.settings import ROOT, Settings, sources
from scripts.core.sizes import GIB, MIB, Size
from scripts.core.values import Values
from scripts.doctor import fix, recommend
from tests.unit.support.fakes import FakeReporter

_MACHINES = [
    (cpus, memory * GIB)
    for cpus in (1, 2, 4, 6, 8, 16, 64)
    for memory in (2, 4, 6, 8, 12, 16, 32, 64, 256)
]


@pytest.mark.parametrize(("cpus", "memory"), _MACHINES)
def test_what_is_recommended_fits_the_machine_and_itself(cpus: int, memory: int) -> None:
    wanted = recommend.for_machine(cpus, memory)
    assert list(wanted) == list(sizes.NAMES)
    found = {}
    for name, value in wanted.items():
        values = Values({name: recommend.written(name, value)})
        assert sizes.parse(values, name, "") == value, f"{name} is written as another size"
        assert values.problems == []
        found[name] = Size(name, value, "", ".env")
    assert sizes.contradictions(found) == ([], [])
    limits = wanted["ODOO_MEMORY"] + wanted["POSTGRES_MEMORY"] + wanted["REDIS_MEMORY"]
    assert limits <= memory - 512 * MIB, "the kernel, Nginx and the engine live there, too"
    assert 2 <= wanted["ODOO_WORKERS"] <= max(2, 2 * cpus + 1)
    assert wanted["REDIS_MAXMEMORY"] < wanted["REDIS_MEMORY"]


@pytest.mark.parametrize("replicas", [1, 2, 4])
@pytest.mark.parametrize(("cpus", "memory"), _MACHINES)
def test_replicas_share_what_the_machine_has(cpus: int, memory: int, replicas: int) -> None:
    wanted = recommend.for_machine(cpus, memory, replicas)
    alone = recommend.for_machine(cpus, memory)
    found = {name: Size(name, value, "", ".env") for name, value in wanted.items()}
    assert sizes.contradictions(found, replicas) == ([], [])
    assert wanted["ODOO_WORKERS"] >= 1
    assert wanted["ODOO_WORKERS"] * replicas <= max(replicas, alone["ODOO_WORKERS"])
    limits = replicas * wanted["ODOO_MEMORY"] + wanted["POSTGRES_MEMORY"] + wanted["REDIS_MEMORY"]
    if replicas <= alone["ODOO_WORKERS"]:
        assert limits <= memory - 512 * MIB


def test_a_larger_machine_gets_more() -> None:
    small, large = recommend.for_machine(2, 4 * GIB), recommend.for_machine(6, 12 * GIB)
    assert (small["ODOO_WORKERS"], large["ODOO_WORKERS"]) == (2, 6)
    assert large["ODOO_LIMIT_MEMORY_SOFT"] > small["ODOO_LIMIT_MEMORY_SOFT"]
    assert large["POSTGRES_SHARED_BUFFERS"] > small["POSTGRES_SHARED_BUFFERS"]


def _installation(root: Path, env: str) -> Settings:
    (root / "odoo").mkdir()
    for name in (sizes.ODOO_CONF, sizes.PRODUCTION_FILE):
        (root / name).write_bytes((ROOT / name).read_bytes())
    (root / ".env").write_text(f"# mine\nPLATFORM_ENV=prod\nODOO_DOMAIN=a.example.com\n{env}")
    (root / ".env").chmod(0o640)
    return Settings.load(root)


def _table(settings: Settings) -> list[recommend.Recommendation]:
    found = sizes.present(settings.root, sources(settings.root))
    return recommend.table(found, 2, 8 * GIB)


def test_what_differs_is_named_and_written_once(tmp_path: Path) -> None:
    settings = _installation(tmp_path, "ODOO_WORKERS=11 # by hand\nODOO_MEMORY=40G\n")
    before, reporter = settings.env_file.read_text(), FakeReporter()
    said = list(fix.fix(settings, _table(settings), reporter))
    assert "  ODOO_WORKERS: 11 (from .env) -> 4\n" in reporter.asked[0]
    assert "ODOO_MAX_CRON_THREADS: 2 (from odoo.conf) -> 1" in reporter.asked[0]
    assert "may have been set by hand" in reporter.asked[0]
    assert "REDIS_MAXMEMORY" not in reporter.asked[0], "it is right as it is"
    assert "ODOO_WORKERS=4" in said
    assert said[-1].endswith("To apply it: inv up --prod")
    after = settings.env_file.read_text()
    assert after.startswith("# mine\nPLATFORM_ENV=prod\n")
    assert after.count("ODOO_WORKERS=") == 1
    copy = tmp_path / fix.COPY
    assert copy.read_text() == before
    assert copy.stat().st_mode & 0o777 == 0o640
    assert configuration.examine(tmp_path).lines == ["no problem was found"]
    assert not [size for size in _table(settings) if size.differs]
    assert "was not changed" in "".join(fix.fix(settings, _table(settings), reporter))
    assert len(reporter.asked) == 1
    assert copy.read_text() == before, "a second time has nothing to keep"


def test_no_changes_nothing(tmp_path: Path) -> None:
    settings = _installation(tmp_path, "ODOO_WORKERS=3\n")
    before = settings.env_file.read_bytes()
    with pytest.raises(OpsError, match=r"\.env was not changed"):
        list(fix.fix(settings, _table(settings), FakeReporter(answer=False)))
    list(fix.fix(settings, _table(settings), FakeReporter(), dry=True))
    assert settings.env_file.read_bytes() == before
    assert not (tmp_path / fix.COPY).exists()


def test_the_environment_is_not_argued_with(tmp_path: Path) -> None:
    settings, reporter = _installation(tmp_path, ""), FakeReporter()
    rows = [
        replace(size, source="environment", present="7")
        if size.variable == "ODOO_WORKERS"
        else size
        for size in recommend.table(
            {name: Size(name, 1, "1", "default") for name in ("ODOO_WORKERS", "ODOO_DB_MAXCONN")},
            2,
            8 * GIB,
        )
    ]
    said = list(fix.fix(settings, rows, reporter))
    assert said[0].startswith("ODOO_WORKERS=7 of the environment wins")
    assert "ODOO_WORKERS" not in reporter.asked[0]
    assert "ODOO_WORKERS=" not in settings.env_file.read_text()
