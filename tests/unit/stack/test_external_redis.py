"""What is asked, and refused, where somebody else runs the Redis with the sessions."""

import json
from pathlib import Path

import pytest

from scripts import monitoring, sessions
from scripts.core.checks import Status, run_all
from scripts.core.errors import OpsError, UsageError
from scripts.disaster.second import Second
from scripts.rotation import rotate
from scripts.stack import diagnosis, preflight
from scripts.stack.compose import Stack
from scripts.stack.engine import Engine
from tests.unit.support.fakes import (
    OWN_REDIS,
    REDIS_ELSEWHERE,
    FakeRunner,
    says,
    settings_in,
)

_ENGINE = Engine("28", "5.6.1", 4, 8 * preflight.GIB, Path("/nowhere"))
_PING = "docker exec redis sh /etc/platform/cli ping"


def _stack(root: Path) -> Stack:
    return Stack(settings_in(root, redis=REDIS_ELSEWHERE), FakeRunner())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read"),
        ("\n", "holds no password"),
        ("# redis_password.txt: password of …", "holds no password"),
        ("short", ""),
    ],
)
def test_its_password_is_wanted(tmp_path: Path, text: str | None, problem: str) -> None:
    settings = settings_in(tmp_path, redis=REDIS_ELSEWHERE)
    settings.secrets_folder.mkdir()
    if text is not None:
        (settings.secrets_folder / "redis_password.txt").write_text(text)
    found = sessions.preflight(settings).probe()
    assert (found.status is Status.OK) == (not problem)
    assert problem in found.detail
    assert sessions.preflight(settings_in(tmp_path)).probe().status is Status.OK


def test_its_password_is_changed_by_who_runs_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is set where Redis runs, at redis\.test:6380"):
        rotate._words(settings_in(tmp_path, redis=REDIS_ELSEWHERE), "db_password,redis_password")
    with pytest.raises(UsageError, match="made of db_password"):
        rotate._words(settings_in(tmp_path, redis=OWN_REDIS), "redis_password")


def test_a_drill_keeps_its_sessions_itself(tmp_path: Path) -> None:
    for name in ("compose.yaml", "compose.prod.yaml"):
        (tmp_path / name).write_text("")
    given = Second(_stack(tmp_path))._values()
    assert given["REDIS_EXTERNAL_HOST"] == given["REDIS_EXTERNAL_SENTINELS"] == ""
    assert given["REDIS_EXTERNAL_MASTER"] == ""


def test_its_authority_can_be_mounted(tmp_path: Path) -> None:
    rows = {row.name: row for row in run_all(preflight.checks(_stack(tmp_path), _ENGINE, ()))}
    assert "REDIS_EXTERNAL_CA_FILE=ca.pem is no PEM file" in rows["Authority of Redis"].detail


def test_the_exporter_has_its_password_by_its_address(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    stack.settings.secrets_folder.mkdir()
    for name, value in {"db_password": "x", "redis_password": 'a"b\\c'}.items():
        (stack.settings.secrets_folder / f"{name}.txt").write_text(value)
    written = monitoring._of_redis(stack)
    assert r'"rediss://shop@redis.test:6380": "a\"b\\c"' in written
    assert json.loads(written).keys() == {"redis://redis:6379", "rediss://shop@redis.test:6380"}


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ("SSL_connect failed: certificate verify failed", "REDIS_EXTERNAL_CA_FILE"),
        ("AUTH failed: WRONGPASS invalid username-password pair", "secrets/redis_password.txt"),
        ("no Sentinel names a master main: NOAUTH Authentication", "SENTINEL_AUTH=true"),
        ("Could not connect to Redis at redis.test:6380: Connection refused", "REDIS_EXTERNAL_*"),
    ],
)
def test_what_keeps_it_from_being_used_has_a_way_out(tmp_path: Path, said: str, way: str) -> None:
    assert way in diagnosis.remedy("redis", [f"error: Redis at redis.test:6380: {said}"])
    # It has gone since the container `redis` started, which runs and says nothing of it.
    row = {"Service": "redis", "Name": "redis", "State": "running", "Health": "unhealthy"}
    runner = FakeRunner({"docker ps": says(json.dumps(row)), _PING: says(code=1, stderr=said)})
    stack = Stack(settings_in(tmp_path, redis=REDIS_ELSEWHERE), runner)
    found = diagnosis.diagnose(stack, OpsError("Redis does not answer"))
    assert found.message == f"Redis at redis.test:6380: {said}" and way in found.hint


def test_what_comes_before_it_or_does_not_need_it_is_told_first(tmp_path: Path) -> None:
    def rows(*broken: str) -> str:
        found = [
            {"Service": name, "Name": name, "State": state, "ExitCode": 1}
            for name in ("odoo_db", "redis", "odoo", "supabase_db")
            for state in ["exited" if name in broken else "running"]
        ]
        return "\n".join(json.dumps(row) for row in found)

    runner = FakeRunner({_PING: says(code=1, stderr="Connection refused")})
    stack = Stack(settings_in(tmp_path, redis=REDIS_ELSEWHERE), runner)
    for broken, needed, told in (
        (["odoo_db", "odoo"], diagnosis.PAGE_NEEDS, "service odoo_db is exited"),
        (["odoo"], diagnosis.PAGE_NEEDS, "Redis at redis.test:6380: Connection refused"),
        (["supabase_db"], ["supabase_db"], "service supabase_db is exited"),
        ([], ["supabase_db"], "no answer"),
    ):
        runner.answers["docker ps"] = says(rows(*broken))
        found = diagnosis.diagnose(stack, OpsError("no answer"), needed=needed)
        assert found.message.startswith(told)


def test_a_name_that_is_not_its_own_is_told_by_odoo() -> None:
    log = ["session_redis: Redis at redis.test:6380 cannot be trusted, see tls_ca_file: …"]
    assert "of the name or address by which it is asked" in diagnosis.remedy("odoo", log)
