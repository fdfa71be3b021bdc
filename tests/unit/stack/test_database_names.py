"""Names of databases that a person gives, before a program meets them."""

from pathlib import Path

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.stack import database_names
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says, settings_in


def _stack(root: Path, *, dry: bool = False) -> Stack:
    answers: dict[str, Completed | OpsError] = {
        "docker ps": says('{"Service": "odoo_db", "Name": "odoo_db", "State": "running"}'),
        "docker exec odoo_db psql": says("odoo\npostgres\nstaging\n"),
    }
    return Stack(settings_in(root), FakeRunner(answers, dry=dry))


@pytest.mark.parametrize("name", ["", "odoo", "staging"])
def test_a_database_that_is_there_may_be_named(tmp_path: Path, name: str) -> None:
    database_names.require(_stack(tmp_path), name)


@pytest.mark.parametrize("name", ["nosuch", "ODOO", "a b", "host=evil", "postgres", "-x"])
def test_what_is_none_is_refused_with_those_that_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"there is no database {name!r}") as caught:
        database_names.require(_stack(tmp_path), name)
    assert caught.value.hint == "There are: odoo, staging"


def test_the_one_of_administration_is_for_sql_only(tmp_path: Path) -> None:
    database_names.require(_stack(tmp_path), "postgres", administration=True)


def test_a_rehearsal_asks_nobody(tmp_path: Path) -> None:
    stack = _stack(tmp_path, dry=True)
    database_names.require(stack, "nosuch")
    stack.require_running("odoo")
    assert isinstance(stack.runner, FakeRunner) and stack.runner.calls == []


def test_what_does_not_run_is_named_with_what_starts_it(tmp_path: Path) -> None:
    stack = Stack(settings_in(tmp_path), FakeRunner({"docker ps": says(code=1)}))
    with pytest.raises(OpsError, match="supabase_db is not running") as caught:
        stack.require_running("supabase_db", "inv up --supabase")
    assert caught.value.hint == "See: inv ps. To start it: inv up --supabase"
    with pytest.raises(OpsError, match="odoo_db is not running"):
        database_names.require(stack, "odoo")
