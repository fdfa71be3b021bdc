"""The gate that `inv` holds while modules change, and what becomes of a lost one."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.core.errors import OpsError
from scripts.modules import maintenance
from scripts.stack.compose import Stack
from tests.conftest import ROOT
from tests.unit.support.fakes import FakeProcess, FakeReporter, FakeRunner, says, settings_in

GATE = "docker exec nginx sh /etc/nginx/gate"
SECONDS = 10


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_PAUSE", 0.01)


class Nginx(FakeRunner):
    """An engine that counts down the gates that were begun."""

    def __init__(self, *states: str, closes: int = 99) -> None:
        super().__init__(lasting=(GATE,))
        self.closes, self.begun = closes, threading.Semaphore(0)
        self.failure: OSError | None = None
        rows = [json.dumps({"Service": "nginx", "Name": "nginx", "State": s}) for s in states]
        self.answers["docker ps"] = says("\n".join(rows))
        self.answers[GATE] = says("closed")

    @contextmanager
    def interact(self, *arguments: object, **named: object) -> Iterator[FakeProcess]:
        if self.failure:
            raise self.failure
        if len(self.processes) >= self.closes:
            self.answers[GATE] = says(code=1, stderr="it does not start")
        with super().interact(*arguments, **named) as process:  # type: ignore[arg-type]
            self.begun.release()
            yield process


class Given(threading.Event):
    """Whether it was given up."""

    def __call__(self) -> None:
        self.set()


def _stack(folder: Path, nginx: Nginx) -> Stack:
    return Stack(settings_in(folder), nginx)


def test_where_nginx_does_not_run_there_is_nothing_to_close(tmp_path: Path) -> None:
    nginx = Nginx("exited")
    with maintenance.enabled(_stack(tmp_path, nginx), FakeReporter(), Given()):
        pass
    assert not nginx.processes


def test_a_lost_one_is_closed_again_and_that_is_said(tmp_path: Path) -> None:
    nginx, reporter, gave_up = Nginx("running"), FakeReporter(), Given()
    with maintenance.enabled(_stack(tmp_path, nginx), reporter, gave_up):
        assert nginx.begun.acquire(timeout=SECONDS)
        nginx.processes[0].finished.set()  # its client was killed
        assert nginx.begun.acquire(timeout=SECONDS)
    assert [talk.written for talk in nginx.processes] == [[], ["open"]]
    assert reporter.said == ["note: the gate of Nginx was lost, and is closed again"]
    assert not gave_up.is_set()


def test_where_none_can_be_closed_again_the_block_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_PATIENCE", 0.05)
    nginx, gave_up = Nginx("running", closes=1), Given()
    with (
        pytest.raises(OpsError, match="visitors cannot be kept out: it does not start") as caught,
        maintenance.enabled(_stack(tmp_path, nginx), FakeReporter(), gave_up),
    ):
        nginx.processes[0].finished.set()
        assert gave_up.wait(SECONDS)
        raise OpsError("the host is gone", "What was there before is there again.")
    assert caught.value.hint == "What was there before is there again."


def test_while_nginx_does_not_run_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_PATIENCE", 0.0)
    nginx, gave_up = Nginx("running", closes=1), Given()
    with maintenance.enabled(_stack(tmp_path, nginx), FakeReporter(), gave_up):
        nginx.answers["docker ps"] = says()
        nginx.processes[0].finished.set()
        for _ in range(5):
            assert nginx.begun.acquire(timeout=SECONDS)
        nginx.closes, nginx.answers[GATE] = 99, says("closed")  # it was restarted
        while not nginx.processes[-1].lasting or nginx.processes[-1].answer.code:
            assert nginx.begun.acquire(timeout=SECONDS)
    assert not gave_up.is_set()
    assert nginx.processes[-1].written == ["open"]


def test_a_block_that_fails_for_another_reason_keeps_it(tmp_path: Path) -> None:
    nginx = Nginx("running")
    with (
        pytest.raises(OpsError, match="Odoo does not work"),
        maintenance.enabled(_stack(tmp_path, nginx), FakeReporter(), Given()),
    ):
        raise OpsError("Odoo does not work")
    assert nginx.processes[0].written == ["open"]


def test_an_engine_that_does_not_answer_in_time_is_a_gate_that_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_PATIENCE", 0.0)
    monkeypatch.setattr(maintenance, "_LEAST", 0.05)
    nginx, gave_up = Nginx("running"), Given()
    with (
        pytest.raises(OpsError, match="kept out: the engine does not answer"),
        maintenance.enabled(_stack(tmp_path, nginx), FakeReporter(), gave_up),
    ):
        nginx.answers[GATE] = says()
        nginx.processes[0].finished.set()
        assert gave_up.wait(SECONDS)
        raise OpsError("the host is gone")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # as in life
def test_a_failure_of_the_host_is_no_closed_gate(tmp_path: Path) -> None:
    nginx = Nginx("running")
    nginx.failure = OSError("Too many open files")
    with (
        pytest.raises(OpsError, match="does not close its gate: OSError: Too many open files"),
        maintenance.enabled(_stack(tmp_path, nginx), FakeReporter(), Given()),
    ):
        pytest.fail("the block was begun")


def test_it_waits_for_less_time_than_a_lost_gate_stays_closed() -> None:
    [seconds] = re.findall(r"^seconds=(\d+)", (ROOT / "nginx/gate").read_text(), re.MULTILINE)
    assert int(seconds) > maintenance._PATIENCE + maintenance._LEAST
