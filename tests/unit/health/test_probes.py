"""What each line of `inv health` makes of the answers of its own service."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scripts import checkup
from scripts.core.checks import Status, run_all
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.http import Reply
from scripts.core.settings import ROOT, Environment
from scripts.health import work
from scripts.stack import maintenance_window
from scripts.stack.compose import Stack
from scripts.stack.maintenance_window import Window
from tests.unit.support.fakes import REDIS_ELSEWHERE, FakeRunner, says, settings_in
from tests.unit.support.health import (
    CHOSEN,
    DOWN,
    EXEC,
    LOGIN,
    NAMES,
    NGINX,
    ODOO,
    POSTGRESQL,
    REDIS,
    ROOM,
    SERVER,
    WELL,
    Site,
    bad,
    containers_are,
    odoo_says,
    redis_says,
    report,
)


def test_a_platform_that_is_well_is_reported_so(tmp_path: Path, site: Site) -> None:
    rows = report(tmp_path)
    assert set(rows) == CHOSEN and tuple(rows)[:5] == NAMES
    assert bad(rows) == {}


def test_maintenance_is_a_warning_where_nginx_goes_by_it_and_failed_where_it_does_not(
    tmp_path: Path, site: Site
) -> None:
    window = Window(datetime(2026, 11, 27, 18, tzinfo=UTC), None, "Back soon")
    maintenance_window.write(settings_in(tmp_path), window)
    kept_out = {"/web/login": Reply(503, ""), "/nginx-health": Reply(200, f"ok\n{window.report}\n")}
    site(kept_out)
    rows = report(tmp_path)
    assert list(bad(rows)) == ["Odoo (proxy)"]
    assert rows["Odoo (proxy)"].status is Status.WARNING
    assert rows["Odoo (proxy)"].detail.startswith("visitors are kept out for maintenance since")
    site({})
    assert list(bad(report(tmp_path))) == ["Nginx"]
    maintenance_window.file(settings_in(tmp_path)).unlink()
    site(kept_out)
    assert list(bad(report(tmp_path))) == ["Nginx", "Odoo (proxy)"]


@pytest.mark.parametrize(
    ("service", "name"),
    [(POSTGRESQL, "PostgreSQL"), (REDIS, "Redis")],
)
def test_a_container_that_is_down_is_bad_news_of_itself_only(
    tmp_path: Path, site: Site, service: str, name: str
) -> None:
    assert bad(report(tmp_path, answers={service: DOWN})) == {name: 'service "x" is not running'}


def test_a_container_that_cannot_be_asked_is_a_row_that_cannot_tell(
    tmp_path: Path, site: Site
) -> None:
    hung = {service: OpsError("no answer") for service in (ODOO, POSTGRESQL, REDIS)}
    rows = report(tmp_path, answers=hung)
    assert set(bad(rows)) == {*NAMES[2:5], "PDF reports"}
    assert {rows[name].status for name in bad(rows)} == {Status.UNKNOWN}
    assert rows["Redis"].detail == "the container of redis cannot be asked: no answer"


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (Reply(500, "oe_login_form"), "status 500"),
        (Reply(503, ""), "status 503"),
        (Reply(200, "It works!"), "/web/login shows no login form"),
        (Reply(303, "", location="/web/database/selector"), "does not find the database odoo"),
        (Reply(303, "", location="http://localhost/web/database/selector?x"), "does not find"),
        (Reply(302, "", location="/web/login"), "/web/login leads on and on"),
        (Reply(303, "", location="/de/web/login"), "status 404"),
        (Reply(303, "", location="/en/web/login?a=b"), ""),
        (Reply(303, "", location="https://id.example.com/auth"), ""),
    ],
)
def test_odoo_behind_the_proxy_is_well_if_its_login_page_is_there(
    tmp_path: Path, site: Site, reply: Reply, problem: str
) -> None:
    pages = {"/web/login": reply, "/de/web/login": Reply(404, ""), "/en/web/login?a=b": LOGIN}
    site(pages)
    found = bad(report(tmp_path))
    assert list(found) == ["Odoo (proxy)"] * bool(problem)
    assert problem in found.get("Odoo (proxy)", "")


@pytest.mark.parametrize("what", ["web", "filestore", "passwords"])
def test_what_odoos_container_does_not_tell_in_time_is_not_well(
    tmp_path: Path, site: Site, what: str
) -> None:
    row = report(tmp_path, answers={ODOO: odoo_says(**{what: None})})["Odoo (container)"]
    assert row.status is Status.UNKNOWN
    assert row.detail == f"its container does not tell in time: {what}"


@pytest.mark.parametrize("what", ["web", "filestore", "passwords"])
def test_odoos_container_tells_what_is_wrong_in_it(tmp_path: Path, site: Site, what: str) -> None:
    answers = {ODOO: odoo_says(**{what: "broken"})}
    assert bad(report(tmp_path, answers=answers)) == {"Odoo (container)": "broken"}


@pytest.mark.parametrize(
    ("service", "name"), [(ODOO, "Odoo (container)"), (POSTGRESQL, "PostgreSQL"), (REDIS, "Redis")]
)
def test_who_is_killed_while_it_is_asked_is_told_with_the_exit_code(
    tmp_path: Path, site: Site, service: str, name: str
) -> None:
    rows = report(tmp_path, answers={service: says(code=137)})
    assert rows[name].status is Status.FAILED
    assert rows[name].detail == "what asks in its container ended with exit code 137"


def test_a_wrong_password_of_odoos_role_is_postgresqls_and_names_the_file(
    tmp_path: Path, site: Site
) -> None:
    refused = 'refused psql: error: FATAL:  password authentication failed for user "odoo"\n'
    rows = report(tmp_path, answers={POSTGRESQL: says(refused + SERVER)})
    assert list(bad(rows)) == ["PostgreSQL"]
    assert "secrets/db_password.txt" in rows["PostgreSQL"].detail
    assert "ALTER" not in rows["PostgreSQL"].hint and "\\password odoo" in rows["PostgreSQL"].hint


def test_a_database_that_is_missing_is_postgresqls_own_news(tmp_path: Path, site: Site) -> None:
    missing = says(f"room {ROOM}\n", code=1, stderr='psql: error: FATAL: no database "odoo"\n')
    found = bad(report(tmp_path, answers={POSTGRESQL: missing}))
    assert found == {"PostgreSQL": 'psql: error: FATAL: no database "odoo"'}


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("damaged 3 odoo\n", Status.FAILED),
        ("damaged 1 \n", Status.FAILED),
        ("damaged 2 odoo__before\n", Status.WARNING),
        ("damaged 2 odoo__before\ndamaged 1 odoo\n", Status.FAILED),
    ],
)
def test_damaged_pages_are_told_by_database(
    tmp_path: Path, site: Site, lines: str, status: Status
) -> None:
    row = report(tmp_path, answers={POSTGRESQL: says(lines + SERVER)})["PostgreSQL"]
    assert row.status is status
    assert "damaged pages were met" in row.detail


@pytest.mark.parametrize("written", [b"it's $odd\n", b"\xef\xbb\xbfit's $odd\r\n"])
def test_the_password_of_the_file_is_asked_by_standard_input(
    tmp_path: Path, site: Site, written: bytes
) -> None:
    heard = []

    class Listener(FakeRunner):
        def run(self, argv: Any, **rest: Any) -> Completed:
            heard.append((" ".join(argv), rest.get("stdin") or ""))
            return super().run(argv, **rest)

    settings = settings_in(tmp_path)
    (tmp_path / "postgres").mkdir()
    shutil.copy(ROOT / "postgres" / "health", tmp_path / "postgres")
    settings.secrets_folder.mkdir(exist_ok=True)
    (settings.secrets_folder / "db_password.txt").write_bytes(written)
    run_all(checkup.checks(Stack(settings, Listener(dict(WELL))), 4))
    (asked,) = [stdin for line, stdin in heard if " odoo_db sh " in line]
    assert asked.startswith("password='it'\"'\"'s $odd'\n#!/bin/sh\n")
    assert not [line for line, _ in heard if "$odd" in line]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (says(f"room {ROOM}\n", code=1, stderr="MISCONF Errors writing\n"), "MISCONF"),
        (says(f"room {ROOM}\nLOADING Redis\n"), "LOADING Redis"),
        (redis_says(used=81), "nearly full"),
        (redis_says(used=81, most=0), ""),
    ],
)
def test_redis_is_asked_itself(tmp_path: Path, site: Site, answer: Completed, problem: str) -> None:
    # What the others say does not count.
    site({"/web/login": Reply(303, "", location="/web/database/selector")})
    lost = {ODOO: DOWN, POSTGRESQL: DOWN}
    row = report(tmp_path, answers={**lost, REDIS: answer})["Redis"]
    assert (row.status is Status.OK) == (not problem)
    assert problem in row.detail


@pytest.mark.parametrize(
    ("said", "problem", "hint"),
    [
        ("OK\n", "", ""),  # it need not let us ask
        ("OK\nmaxmemory:0\nused_memory:9\nmaxmemory_policy:noeviction\nevicted_keys:9\n", "", ""),
        ("OK\nmaxmemory:100\nused_memory:81\n", "nearly full", "have it given more"),
        ("OK\nmaxmemory_policy:allkeys-lru\n", "may throw sessions away", "set to noeviction"),
        ("OK\naof_last_write_status:err\n", "cannot write its file", "tell who runs it"),
        ("NOPERM no permissions\n", "redis.test:6380: NOPERM", "/etc/platform/cli ping"),
    ],
)
def test_a_redis_elsewhere_is_asked_what_it_tells(
    tmp_path: Path, site: Site, said: str, problem: str, hint: str
) -> None:
    row = report(tmp_path, answers={REDIS: says(said)}, redis=REDIS_ELSEWHERE)["Redis"]
    assert (row.status is Status.OK) == (not problem)
    assert problem in row.detail and hint in row.hint


@pytest.mark.parametrize(
    ("session", "well"), [("found", True), ("unknown", True), ("lost", False), ("none", False)]
)
def test_a_session_that_odoo_began_is_looked_for_in_redis(
    tmp_path: Path, site: Site, session: str, well: bool
) -> None:
    found = bad(report(tmp_path, answers={ODOO: odoo_says(session=session)}))
    assert list(found) == [] if well else ["Redis"]


def test_the_volume_of_a_service_that_is_down_is_measured_beside_it(
    tmp_path: Path, site: Site
) -> None:
    answers = {
        POSTGRESQL: DOWN,
        "docker ps": containers_are(odoo_db="restarting"),
        "docker compose run --rm": says("room 7 4096 25600 0 9999 9000\n"),
    }
    found = bad(report(tmp_path, answers=answers))
    assert found["Volumes"] == "odoo_db_data: 0 MiB of 100 MiB are free"


def test_where_uploads_wait_is_measured_as_well(tmp_path: Path, site: Site) -> None:
    asked = f"{NGINX} sh -c stat -f -c 'room %i %S %b %a %c %d' /var/cache/nginx /var/spool/nginx"
    full = says(f"room {ROOM}\nroom 7 4096 25600 0 9999 9000\n")
    found = bad(report(tmp_path, answers={asked: full}))
    assert found == {"Volumes": "nginx_temp: 0 MiB of 100 MiB are free"}


def test_a_platform_that_was_never_started_gets_no_volumes_by_being_looked_at(
    tmp_path: Path, site: Site
) -> None:
    runner = FakeRunner({EXEC: DOWN})
    run_all(checkup.checks(Stack(settings_in(tmp_path), runner), 4))
    assert not runner.changing and not runner.ran("docker compose run")


def test_a_catcher_that_does_not_answer_is_a_warning_as_odoo_works_without(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(url: str, **_: float) -> Reply:
        raise OpsError(f"nothing answers at {url}")

    for answer, said in ((nobody, "nothing answers at http://localhost:8025"),
                         (lambda _, **__: Reply(500, ""), "status 500")):  # fmt: skip
        monkeypatch.setattr(work, "get", answer)
        row = report(tmp_path)["Mail catcher"]
        assert (row.status, row.detail) == (Status.WARNING, said)


def test_production_has_no_catcher_to_ask(tmp_path: Path, site: Site) -> None:
    production = {"docker ps": containers_are(port=443)}
    rows = report(tmp_path, answers=production, environment=Environment.PROD)
    assert "Mail catcher" not in rows
