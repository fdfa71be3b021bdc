"""The list of deployments, what is kept of them, and what each of their steps does."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import Environment
from scripts.deploy import hooks, kept, record, upstreams
from scripts.deploy.record import Deployment, Result, Version
from scripts.deploy.replacement import under_way
from scripts.deploy.work import Work
from scripts.stack import image_names, images
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, command_line, says, settings_in

_TAG = "localhost/ipai-platform/odoo:deployed-20261128T142500Z"
_FIRST = Version("1.0", _TAG, "sha256:1", "./.state/deployments/20261128T142500Z/addons", "aa")
_SECOND = replace(_FIRST, image=_TAG.replace("1425", "1525"), image_id="sha256:2", digest="bb")
_THIRD = replace(_FIRST, image=_TAG.replace("1425", "1625"), image_id="sha256:3", digest="cc")


def _made(before: Version, after: Version, result: Result = Result.DEPLOYED) -> Deployment:
    return Deployment("20261128T142500Z", "me@here", before, after, ("sale",), result, "", 12)


def _stack(folder: Path, **answers: object) -> Stack:
    settings = settings_in(folder, environment=Environment.PROD)
    return Stack(settings, FakeRunner(answers))  # type: ignore[arg-type]


def _runner(stack: Stack) -> FakeRunner:
    assert isinstance(stack.runner, FakeRunner)
    return stack.runner


def test_the_list_is_read_as_it_was_written_and_what_is_damaged_is_left_out(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path)
    assert record.known(settings) == []
    record.add(settings, _made(_FIRST, _SECOND))
    path = settings.state_folder / "deployments.jsonl"
    with path.open("a") as stream:
        stream.write('{"id": 1}\nnull\n{"id": "half\n')
    record.add(settings, _made(_SECOND, _THIRD))
    assert record.known(settings) == [_made(_SECOND, _THIRD), _made(_FIRST, _SECOND)]
    header, *rows = record.table(record.known(settings)).lines
    assert header.startswith("begun") and len(rows) == 2
    assert "me@here" in rows[0] and "deployed" in rows[0]


@pytest.mark.parametrize(
    ("last", "serves"),
    [
        (_made(_FIRST, _SECOND), _SECOND),
        (_made(_SECOND, _FIRST, Result.ROLLED_BACK), _FIRST),
        (_made(_FIRST, _SECOND, Result.RETURNED), _FIRST),
        (_made(_FIRST, _SECOND, Result.FAILED), None),
    ],
)
def test_what_serves_is_known_by_how_the_last_one_ended(
    last: Deployment, serves: Version | None
) -> None:
    assert record.serving([last, _made(_THIRD, _FIRST)]) == serves
    assert record.serving([]) is None


def test_a_rollback_leads_to_what_was_there_before_what_serves() -> None:
    known = [
        _made(_THIRD, _SECOND, Result.ROLLED_BACK),
        _made(_SECOND, _THIRD),
        _made(_FIRST, _SECOND),
    ]
    assert record.previous(known, _SECOND) == _FIRST  # a second time: one step more
    assert record.previous(known, _FIRST) is None
    failed = [_made(_FIRST, _SECOND, Result.RETURNED)]
    assert record.previous(failed, _SECOND) is None


def test_code_is_the_same_whatever_python_has_compiled_of_it(tmp_path: Path) -> None:
    (tmp_path / "sale").mkdir()
    (tmp_path / "sale" / "a.py").write_text("1")
    before = kept.code_digest(tmp_path)
    (tmp_path / "sale" / "__pycache__").mkdir()
    (tmp_path / "sale" / "__pycache__" / "a.pyc").write_text("1")
    assert kept.code_digest(tmp_path) == before
    (tmp_path / "sale" / "a.py").write_text("2")
    assert kept.code_digest(tmp_path) != before


def test_env_names_what_served_until_the_next_deployment(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    (tmp_path / ".env").write_text("ODOO_IMAGE=localhost/ipai-platform/odoo:18.0\n")
    back = kept.serve(stack, FakeReporter(), _FIRST)
    assert back.settings.images["ODOO_IMAGE"] == _TAG
    env = (tmp_path / ".env").read_text()
    assert f"ODOO_IMAGE={_TAG}\n" in env and f"ODOO_ADDONS={_FIRST.code}\n" in env


def test_a_failure_before_anything_is_replaced_leaves_env_as_it_was(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    (tmp_path / ".env").write_text(f"ODOO_IMAGE={_TAG}\nODOO_ADDONS=./copy\n")
    before = (tmp_path / ".env").read_text()

    def fails() -> None:
        with kept.named_as_before(settings):
            (tmp_path / ".env").write_text("ODOO_IMAGE=other\nODOO_ADDONS=\n")
            raise OpsError("no")

    with pytest.raises(OpsError, match="no"):
        fails()
    assert (tmp_path / ".env").read_text() == before


def test_what_somebody_else_has_chosen_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    for code, refused in ((_FIRST.code, False), ("./mine", True), ("/srv/addons", True)):
        (tmp_path / ".env").write_text(f"ODOO_ADDONS={code}\n")
        if not refused:
            kept.refuse_own_choice(settings)
            continue
        with pytest.raises(UsageError, match="is not what a deployment has written"):
            kept.refuse_own_choice(settings)
    monkeypatch.setenv("ODOO_IMAGE", "mine:1")
    (tmp_path / ".env").write_text("")
    with pytest.raises(UsageError, match="ODOO_IMAGE of the environment"):
        kept.refuse_own_choice(settings)


@pytest.mark.parametrize(
    ("began", "known"), [("2026-11-28T14:20:00Z", True), ("2026-11-28T16:00:00Z", False)]
)
def test_code_is_known_only_where_nothing_was_started_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, began: str, known: bool
) -> None:
    row = json.dumps({"Service": "odoo", "Name": "odoo-1", "State": "running", "StartedAt": began})
    stack = _stack(tmp_path, **{"docker ps": says(row)})
    monkeypatch.setattr(kept, "running", lambda *_: _SECOND)
    found = kept.as_started(stack, [_made(_FIRST, _SECOND)], "20261128T170000Z")
    assert found == (_SECOND if known else replace(_SECOND, code="", digest=""))
    (tmp_path / ".env").write_text(f"ODOO_ADDONS={_FIRST.code}\n")  # a copy is what it was
    assert kept.as_started(stack, [_made(_FIRST, _SECOND)], "20261128T170000Z") == _SECOND


def test_an_image_that_served_is_never_built_again(tmp_path: Path) -> None:
    known = {**dict.fromkeys(("ODOO_BASE_IMAGE", "BACKUP_IMAGE"), "x"), "ODOO_IMAGE": _TAG}
    there = _stack(tmp_path, **{"docker image inspect": says("sha256:1\n")})
    images._build_platform_image(there, FakeReporter(), known)
    assert not any("build" in argv for argv in _runner(there).calls)
    gone = _stack(tmp_path, **{"docker image inspect": says(code=1)})
    with pytest.raises(OpsError, match="is gone"):
        images._build_platform_image(gone, FakeReporter(), known)
    assert not image_names.DEPLOYED.fullmatch("localhost/ipai-platform/odoo:18.0")


def test_only_what_may_serve_again_is_kept(tmp_path: Path) -> None:
    tags = "\n".join([_TAG, _SECOND.image, "localhost/ipai-platform/odoo:18.0"])
    stack = _stack(tmp_path, **{"docker image ls": says(tags)})
    folder = stack.settings.state_folder / "deployments"
    for name in ("20261128T142500Z", "20261101T000000Z", "notes"):
        (folder / name / "addons").mkdir(parents=True)
    kept.drop_others(stack, [_FIRST])
    removed = [command_line(argv) for argv in _runner(stack).changing]
    assert removed == [f"docker image rm {_SECOND.image}"]
    assert sorted(each.name for each in folder.iterdir()) == ["20261128T142500Z", "notes"]


def test_what_serves_is_kept_though_the_list_cannot_be_written(tmp_path: Path) -> None:
    stack = _stack(tmp_path, **{"docker image ls": says(f"{_TAG}\n{_SECOND.image}")})
    assert record.known(stack.settings) == []
    Work(stack, FakeReporter(), 1).prune(_FIRST)
    removed = [command_line(argv) for argv in _runner(stack).changing]
    assert removed == [f"docker image rm {_SECOND.image}"]


@pytest.mark.parametrize(("mode", "said"), [(0o644, "chmod +x"), (0o755, "")])
def test_a_hook_is_run_with_what_is_deployed(tmp_path: Path, mode: int, said: str) -> None:
    stack = _stack(tmp_path)
    hooks.run(stack, FakeReporter(), hooks.BEFORE, {})  # there is none
    assert not _runner(stack).calls
    (tmp_path / "hooks").mkdir()
    hook = tmp_path / "hooks" / hooks.BEFORE
    hook.write_text("#!/bin/sh\n")
    hook.chmod(mode)
    if said:
        with pytest.raises(OpsError) as caught:
            hooks.run(stack, FakeReporter(), hooks.BEFORE, {})
        assert said in caught.value.hint
        return
    hooks.run(stack, FakeReporter(), hooks.BEFORE, {"DEPLOY_ID": "1"})
    assert _runner(stack).changing == [[str(hook)]]


def test_a_hook_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "hooks").mkdir()
    hook = tmp_path / "hooks" / hooks.BEFORE
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    stack = _stack(tmp_path, **{str(hook): says("one\ntwo\n", code=3)})
    with pytest.raises(OpsError, match="exit code 3\n  one\n  two"):
        hooks.run(stack, FakeReporter(), hooks.BEFORE, {})


_TABLE = """\
  sl  local_address rem_address   st tx_queue
   0: 00000000:1F85 00000000:0000 0A 00000000
   1: 050012AC:1F85 020012AC:C350 01 00000000
   2: 0100007F:1F85 0100007F:C351 01 00000000
   3: 050012AC:1F85 020012AC:C352 06 00000000
   4: 050012AC:1F88 020012AC:C353 01 00000000
   5: 050012AC:C354 030012AC:1538 01 00000000
"""


def test_requests_under_way_are_connections_from_elsewhere() -> None:
    assert under_way(_TABLE, 8069) == 1
    assert under_way(_TABLE, 8072) == 1
    assert under_way("", 8069) == 0


def test_nginx_is_given_addresses_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = _stack(
        tmp_path, **{"docker ps": says(json.dumps({"Service": "nginx", "Name": "nginx"}))}
    )
    with pytest.raises(OpsError, match="has no address"):  # not of a running container
        upstreams.send_to(stack, ["odoo-1"], ["odoo-1"])
    monkeypatch.setattr(upstreams, "_address", lambda _, name: f"172.18.0.{name[-1]}")
    upstreams.send_to(stack, ["odoo-1", "odoo-2"], ["odoo_websocket-3"])
    line = command_line(_runner(stack).calls[-1])
    assert line.endswith("sh /etc/nginx/upstreams 172.18.0.1,172.18.0.2 172.18.0.3")
