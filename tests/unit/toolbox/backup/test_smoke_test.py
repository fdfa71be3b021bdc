"""The reason for which Odoo does not run on a restored copy."""

import sys
from types import ModuleType
from typing import Any

import pytest

_WARNING = "2026-01-01 10:00:00,000 7 WARNING odoo odoo.modules.graph: a module is missing"
_CAUSE = "2026-01-01 10:00:01,000 7 ERROR odoo odoo.sql_db: bad query: no column a"
_EFFECT = "2026-01-01 10:00:02,000 7 CRITICAL odoo odoo.service.server: no registry"
_TRACEBACK = "psycopg2.errors.UndefinedColumn: no column a"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    context: Any = ModuleType("passlib.context")
    context.CryptContext = object
    monkeypatch.setitem(sys.modules, "passlib.context", context)  # it is in the containers only
    from toolbox.backup import smoke_test

    return smoke_test


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([_WARNING, _CAUSE, _TRACEBACK, _EFFECT, _TRACEBACK], _CAUSE),
        ([_WARNING, _EFFECT, _TRACEBACK], _EFFECT),
        ([_WARNING, "it went away", "", " "], "it went away"),
        (["", " "], "it said nothing"),
        ([], "it said nothing"),
        ([f"{_CAUSE}{'x' * 500}"], f"{_CAUSE}{'x' * 500}"[:300]),
    ],
)
def test_the_reason_is_the_line_of_an_error_and_only_else_the_last(
    program: Any, lines: list[str], reason: str
) -> None:
    assert program.reason_in("\n".join(lines)) == reason


def test_the_end_of_the_log_is_shown_with_the_reason(
    program: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    log = tmp_path / "odoo.log"
    log.write_text("\n".join([_CAUSE, *[f"line {number}" for number in range(100)]]))
    monkeypatch.setattr(program, "LOG", log)
    assert program.explain_end() == _CAUSE
    shown = capsys.readouterr().err.splitlines()
    assert shown[-1] == "line 99" and len(shown) == 40
