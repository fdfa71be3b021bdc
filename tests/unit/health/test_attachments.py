"""What is made of the answer about attachments."""

import json
from pathlib import Path

import pytest

from scripts import checkup
from scripts.core.checks import Result, Status, run_all
from scripts.core.completed import Completed
from scripts.core.http import Reply
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, settings_in
from tests.unit.support.health import ODOO, WELL, Site, containers_are, odoo_says


def _row(folder: Path, **answers: Completed) -> tuple[Result | None, FakeRunner]:
    (folder / "postgres").mkdir(exist_ok=True)
    (folder / "postgres" / "health").write_text("")
    given = {
        ODOO: answers.get("odoo", odoo_says()),
        "docker ps": answers.get("ps", containers_are()),
    }
    runner = FakeRunner({**WELL, **given})
    rows = run_all(checkup.checks(Stack(settings_in(folder), runner), 4))
    return next((row for row in rows if row.name == "Attachments"), None), runner


@pytest.mark.parametrize(
    ("said", "status", "detail"),
    [
        ("", Status.OK, ""),
        ("one cannot be read: status 404", Status.FAILED, "one cannot be read: status 404"),
        (None, Status.UNKNOWN, "Odoo's container does not tell"),
    ],
)
def test_what_odoos_container_says_is_told(
    tmp_path: Path, site: Site, said: str | None, status: Status, detail: str
) -> None:
    row, _ = _row(tmp_path, odoo=odoo_says(attachment=said))
    assert row and (row.status, row.detail) == (status, detail)


def test_where_there_is_nothing_to_ask_about_there_is_no_line(tmp_path: Path, site: Site) -> None:
    row, _ = _row(tmp_path, odoo=odoo_says(attachment="skipped"))
    assert row is None


def test_nginx_is_asked_for_the_site_where_it_runs(tmp_path: Path, site: Site) -> None:
    for state, asked in (("running", True), ("exited", False)):
        _, runner = _row(tmp_path, ps=containers_are(nginx=state))
        (call,) = [c for c in runner.calls if "/etc/odoo/health.py" in c]
        assert ("http://localhost" in call) is asked, json.dumps(call)


def test_without_a_page_nothing_is_said_of_attachments(tmp_path: Path, site: Site) -> None:
    site({"/web/login": Reply(502, "")})
    row, _ = _row(tmp_path, odoo=odoo_says(attachment="one cannot be read: status 502"))
    assert row and row.status is Status.UNKNOWN
