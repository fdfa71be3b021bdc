"""`inv status` and `inv open` on a platform that runs and on one that is stopped."""

import json
from pathlib import Path

from tests.e2e.support.production import Production


def test_status_tells_all_of_a_running_platform(production: Production) -> None:
    done = production.inv("status", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["runs"], found["environment"]) == ("running", "production")
    assert found["url"] == production.url
    assert found["data"]["database"] > 1_000_000 and "free" in found["data"]["room"]
    assert found["certificate_days"] > 300
    assert found["maintenance"]["on"] is False
    assert [line for line in found["attention"] if not line.startswith("Backup")] == []


def test_status_tells_of_maintenance_and_of_the_last_backup(production: Production) -> None:
    assert production.inv("maintenance", "on", "--for", "1h").returncode == 0
    try:
        assert production.inv("backup").returncode == 0
        shown = production.inv("status").stdout
    finally:
        assert production.inv("maintenance", "off").returncode == 0
    assert "Maintenance: on since 20" in shown
    assert "none was verified" in shown


def test_open_starts_the_browser_or_prints_the_address(
    production: Production, tmp_path: Path
) -> None:
    browser, visited = tmp_path / "browser", tmp_path / "visited"
    browser.write_text(f'#!/bin/sh\necho "$1" >{visited}\n')
    browser.chmod(0o755)
    done = production.inv("open", BROWSER=str(browser))
    assert (done.returncode, done.stdout) == (0, "")
    assert visited.read_text() == f"{production.url}\n"
    visited.unlink()
    printed = production.inv("open", "--print", BROWSER=str(browser))
    assert printed.stdout == f"{production.url}\n" and not visited.exists()


def test_questions_come_after_what_can_be_known_without_them(production: Production) -> None:
    unknown = production.inv("sessions.revoke", "--user", "nobody@example.com")
    assert unknown.returncode == 1
    assert "there is no user 'nobody@example.com'" in unknown.stderr
    assert "--yes" not in unknown.stderr
    source = production.inv("clone", "--database", "nosuch")
    assert source.returncode == 2 and "there is no database 'nosuch'" in source.stderr
    production.log_in()
    asked = production.inv("sessions.revoke", "--user", "admin")
    assert asked.returncode == 1
    assert "This logs 'admin' out of" in asked.stderr and "nobody is here to answer" in asked.stderr


def test_a_stopped_platform_is_told_with_less(production: Production) -> None:
    assert production.compose("stop").returncode == 0
    try:
        done = production.inv("status")
    finally:
        assert production.inv("up").returncode == 0
    assert done.returncode == 0, done.stderr
    assert "Platform:    stopped, production" in done.stdout
    assert "Platform: it is stopped (inv up)" in done.stdout
    assert "Certificate:" in done.stdout
