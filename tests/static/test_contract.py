"""Names that stand in files which cannot import toolbox/contract."""

import re

import pytest

from tests.static.support.project import ROOT
from toolbox.contract import names


def _bootstrap() -> str:
    return (ROOT / "odoo" / "bin" / "platform-bootstrap").read_text()


def test_the_bootstrap_knows_the_copies_of_a_database() -> None:
    pattern = re.search(r'^COPIES = "(.+)"$', _bootstrap(), re.MULTILINE)
    assert pattern
    copies = (names.BEFORE, names.STAGED, names.REVERTED, "__s1700000000")
    for suffix in copies:
        assert re.fullmatch(pattern[1], suffix), suffix
    for suffix in (names.SCRATCH, names.REHEARSAL, names.MODULE_TEST, names.UNFINISHED):
        assert not re.fullmatch(pattern[1], suffix), suffix
    for suffix in (names.BEFORE, names.UNFINISHED):
        assert f"{{database}}{suffix}" in _bootstrap()


def test_the_role_of_restores_is_the_one_that_the_server_is_set_up_with() -> None:
    setup = ROOT / "postgres" / "initdb.d" / "20-restorer.sh"
    assert names.RESTORER in setup.read_text()
    host = ROOT / "scripts" / "backups" / "foreign_files.py"
    assert f"CREATE ROLE {names.RESTORER} LOGIN" in host.read_text()


@pytest.mark.parametrize("path", ["scripts", "toolbox"])
def test_a_suffix_has_one_home(path: str) -> None:
    found = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / path).rglob("*.py")
        for name in re.findall(r'"(__[a-z]+)"', file.read_text())
        if name in (*names.THROWN_AWAY, names.REHEARSAL, names.MODULE_TEST, names.REVERTED)
    }
    assert found <= {"toolbox/contract/names.py"}


@pytest.mark.parametrize(
    ("database", "may_be_restored", "may_have_snapshots"),
    [
        ("odoo", True, True),
        ("my_odoo_2", True, True),
        ("My-Odoo.2", False, True),
        ("postgres", False, True),
        ("template1", False, True),
        ("odoo__before", False, True),
        ("odoo__restoring", False, True),
        ("odoo__drill", False, True),
        ("odoo__clone", False, True),
        ("odoo__rehearsal", False, False),
        ("odoo__test", False, False),
        ("odoo__undone", False, False),
        ("odoo__s1700000000", False, False),
        ("x" * 50, True, True),
        ("x" * 51, False, False),
        ("", False, False),
    ],
)
def test_what_a_database_may_be_called(
    database: str, may_be_restored: bool, may_have_snapshots: bool
) -> None:
    assert bool(re.fullmatch(names.DATABASE_NAME, database)) is may_be_restored
    assert bool(re.fullmatch(names.SNAPSHOT_SOURCE, database)) is may_have_snapshots


def test_copies_that_wait_for_a_way_back_accept_no_connections() -> None:
    assert re.search(names.KEPT, "odoo__before") and re.search(names.KEPT, "odoo__s1700000000")
    assert not re.search(names.KEPT, "odoo") and not re.search(names.KEPT, "odoo__restoring")
