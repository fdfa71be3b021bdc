"""Changing modules: what is said to the container, and what comes of its answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.modules import change, listing, service
from scripts.stack import engine, image_names, lifecycle
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in
from toolbox.contract.changes import ChangeRequest, Module

RUN = "docker compose --progress quiet run --rm -T --no-deps"
GATE = "docker exec nginx sh /etc/nginx/gate"
LOGIN = "docker exec odoo curl"
RESTART = "docker compose restart odoo"
PLAN = {
    "step": "plan",
    "install": ["sale"],
    "update": [],
    "uninstall": [],
    "besides": ["crm"],
    "missing": [],
    "restart": False,
    "empty": False,
}
SNAPSHOT = {"step": "snapshot", "name": "odoo__s1700000000", "seconds": 1.0}
CHANGED = {"step": "changed", "restart": False, "seconds": 2.0, "waited_for": {}}
RESULT = {"step": "result", "result": {"done": True, "seconds": 2.0, "locked": {"a": 0.4}}}
UNDONE = {"step": "undone", "name": "odoo__s1700000000"}


def _lines(*steps: dict[str, Any]) -> str:
    return "\n".join(json.dumps(step) for step in steps)


def _service(name: str) -> str:
    return json.dumps({"Service": name, "Name": name, "State": "running", "Health": "healthy"})


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    running = "\n".join(map(_service, ("nginx", "odoo", "odoo_db", "redis")))
    answers = {
        "docker ps": says(running),
        "docker inspect": says("sha256:1\n"),
        GATE: says("closed"),
        f"{RUN} odoo_modules change": says(_lines(PLAN, SNAPSHOT, CHANGED, RESULT)),
    }
    images = {"ODOO_IMAGE": "localhost/ipai-platform/odoo:18.0"}
    return Stack(settings_in(tmp_path, images=images), FakeRunner({**answers}, lasting=(GATE,)))


@pytest.fixture(autouse=True)
def engine_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "probe", lambda runner: None)
    monkeypatch.setattr(image_names, "effective", lambda settings: settings.images)


def _runner(stack: Stack) -> FakeRunner:
    assert isinstance(stack.runner, FakeRunner)
    return stack.runner


def _install(stack: Stack) -> change.Outcome:
    return change.change(stack, FakeReporter(), ChangeRequest(install=("sale",)), "module.install")


def test_a_change_is_kept_after_odoo_was_seen_to_work(stack: Stack) -> None:
    done = _install(stack)
    program, gate = _runner(stack).processes
    assert program.written == ["go", "keep"]
    assert gate.written == ["open"] and gate.ended
    assert _runner(stack).ran(LOGIN)
    assert not _runner(stack).ran(RESTART)
    assert done.lines == [
        "Installed: sale",
        "With them: crm",
        "It took 2.0 s",
        "Back to what was there before: inv module.rollback s1700000000",
    ]


def test_changed_code_restarts_odoo_before_the_change_is_kept(stack: Stack) -> None:
    restarting = {**CHANGED, "restart": True}
    _runner(stack).answers[f"{RUN} odoo_modules change"] = says(
        _lines(PLAN, SNAPSHOT, restarting, RESULT)
    )
    assert _install(stack).restarted
    assert _runner(stack).ran(RESTART)


def test_a_plan_with_nothing_in_it_keeps_nobody_out(stack: Stack) -> None:
    nothing = {**PLAN, "install": [], "empty": True}
    _runner(stack).answers[f"{RUN} odoo_modules change"] = says(_lines(nothing, RESULT))
    assert _install(stack).lines == ["There is nothing to do"]
    assert not _runner(stack).ran(GATE)


def test_the_reason_of_a_failure_and_its_log_lines_are_told(stack: Stack) -> None:
    said = "hint: See it.\nerror: Odoo could not install sale (exit code 255):\n  line one\n  two"
    _runner(stack).answers[f"{RUN} odoo_modules change"] = says(
        _lines(PLAN, SNAPSHOT, UNDONE), code=1, stderr=said
    )
    with pytest.raises(OpsError) as caught:
        _install(stack)
    assert caught.value.message.endswith("(exit code 255):\n  line one\n  two")
    assert caught.value.hint == "What was there before is there again. See it."
    assert not _runner(stack).ran(f"{RUN} odoo_modules recover")


def test_what_a_killed_container_has_begun_is_undone_by_another(stack: Stack) -> None:
    answers = _runner(stack).answers
    answers[f"{RUN} odoo_modules change"] = says(_lines(PLAN, SNAPSHOT), code=137)
    answers[f"{RUN} odoo_modules recover"] = says(_lines({"step": "result", "result": {}}))
    with pytest.raises(OpsError, match="was killed"):
        _install(stack)
    assert _runner(stack).ran(f"{RUN} odoo_modules recover")


def test_an_odoo_that_does_not_work_is_no_reason_to_keep(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(stack: Stack) -> None:
        raise OpsError("Odoo does not work")

    monkeypatch.setattr(lifecycle, "await_odoo", broken)
    _runner(stack).answers[f"{RUN} odoo_modules change"] = says(
        _lines(PLAN, SNAPSHOT, CHANGED, UNDONE), code=1
    )
    reporter = FakeReporter()
    with pytest.raises(OpsError, match="does not work"):
        change.change(stack, reporter, ChangeRequest(install=("sale",)), "module.install")
    assert _runner(stack).processes[0].written == ["go"]
    assert "What was there before is there again." in reporter.said
    assert _runner(stack).ran(RESTART)  # it may have loaded the code of what is undone


def test_the_platform_is_not_stopped_while_modules_change(stack: Stack) -> None:
    told = pytest.raises(OpsError, match=r"`inv module.install` .* is still running")
    with service.alone(stack.settings, "module.install"), told:
        lifecycle.down(stack, FakeReporter())
    with file_lock(lifecycle.lock(stack.settings), "up"), pytest.raises(OpsError, match="inv up"):
        _install(stack)
    assert not _runner(stack).processes


def test_a_name_is_never_a_flag_of_the_program(stack: Stack) -> None:
    _runner(stack).answers[RUN] = says(code=1, stderr="error: no such snapshot")
    with pytest.raises(OpsError, match="no such snapshot"):
        change.roll_back(stack, FakeReporter(), "-h", "-x", accept=False)
    assert _runner(stack).ran(f"{RUN} odoo_modules --database=-x rollback -- -h")


@pytest.mark.parametrize(("present", "said"), [("", "It was missing;"), ("odoo__s2", "odoo__s2;")])
def test_going_back_names_what_was_there_or_says_that_nothing_was(
    stack: Stack, present: str, said: str
) -> None:
    plan = {
        "step": "plan",
        "database": "odoo",
        "made": "2026",
        "doing": "x",
        "name": "odoo__s1",
        "state": "closed",
    }
    result = {"step": "result", "result": {"name": "odoo__s1", "present": present}}
    _runner(stack).answers[f"{RUN} odoo_modules rollback"] = says(_lines(plan, CHANGED, result))
    lines = change.roll_back(stack, FakeReporter(), "", "", accept=False).lines
    assert lines[0] == "odoo is what it was on 2026" and said in lines[1]


def test_a_change_of_no_module_is_refused() -> None:
    with pytest.raises(UsageError, match="no module is named"):
        change.validated(ChangeRequest(install=change.split(" ,")))
    assert change.validated(ChangeRequest(changed=True)).command("change")[1] == "--changed"


@pytest.mark.parametrize("text", ["", "a,b"])
def test_one_module_is_tested_at_a_time(stack: Stack, text: str) -> None:
    with pytest.raises(UsageError, match="not the name of one module"):
        change.test(stack, FakeReporter(), text)
    assert not _runner(stack).calls


def test_an_odoo_on_another_image_is_not_worked_on(stack: Stack) -> None:
    _runner(stack).answers["docker inspect --format {{.Id}}"] = says("sha256:2\n")
    with pytest.raises(OpsError, match="another image"):
        _install(stack)
    assert not _runner(stack).processes


def test_a_gate_that_does_not_close_lets_nothing_begin(stack: Stack) -> None:
    _runner(stack).answers[GATE] = says(code=1, stderr="gate: closed by another")
    with pytest.raises(OpsError, match="closed by another"):
        _install(stack)
    assert _runner(stack).processes[0].written == []


def test_a_removal_asks_and_names_what_goes_with_it(stack: Stack) -> None:
    plan = {**PLAN, "install": [], "uninstall": ["sale"], "besides": ["sale_crm"]}
    _runner(stack).answers[f"{RUN} odoo_modules change"] = says(_lines(plan))
    reporter = FakeReporter(answer=False)
    with pytest.raises(OpsError, match="nothing was removed"):
        change.change(stack, reporter, ChangeRequest(uninstall=("sale",)), "module.uninstall")
    assert "sale" in reporter.asked[0] and "sale_crm" in reporter.asked[0]


@pytest.mark.parametrize("text", ["sale;rm", "sale crm", "--all", "säle", "a,b c"])
def test_what_cannot_be_a_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        change.split(text)


def test_names_are_split_once_each() -> None:
    assert change.split(" sale, crm,sale,") == ("sale", "crm")


def test_a_request_is_passed_in_flags() -> None:
    request = ChangeRequest(
        install=("a", "b"), update=("c",), changed=True, snapshot=False, patience=5
    )
    assert request.command("change") == [
        "change",
        "--install=a,b",
        "--update=c",
        "--changed",
        "--no-snapshot",
        "--max-lock-wait=5",
    ]


def _module(name: str, **values: Any) -> Module:
    fixed = {"state": "uninstalled", "installed": "", "on_disk": "1", "source": "odoo"}
    return Module(**{"name": name, "changed": False, "missing": False, **fixed, **values})


MODULES = [
    _module("base", state="installed"),
    _module("crm"),
    _module("mine", source="odoo/addons", depends=("base",), state="installed", changed=True),
    _module("lost", state="installed", missing=True, on_disk="", source=""),
]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (listing.Filter(), ["base", "mine", "lost"]),
        (listing.Filter(every=True), ["base", "crm", "mine", "lost"]),
        (listing.Filter(state="uninstalled"), ["crm"]),
        (listing.Filter(changed=True), ["mine"]),
        (listing.Filter(missing=True), ["lost"]),
        (listing.Filter(source="odoo/addons"), ["mine"]),
    ],
)
def test_the_list_can_be_filtered(chosen: listing.Filter, found: list[str]) -> None:
    assert [m.name for m in listing.wanted(MODULES, chosen)] == found


def test_a_state_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no state 'instaled'"):
        listing.wanted(MODULES, listing.Filter(state="instaled"))


def test_a_module_is_shown_with_those_that_need_it() -> None:
    assert "Needed by: mine" in listing.details(listing.one(MODULES, "base"))
    with pytest.raises(OpsError) as caught:
        listing.one(MODULES, "bass")
    assert "base" in caught.value.hint
