"""How a change of modules talks with the host, which may die at any moment."""

import io
import json
import sys

import pytest

from toolbox.contract.changes import Answer, ChangePlan, Step
from toolbox.core.errors import Failure
from toolbox.modules.protocol import Host, emit_event, require_answer


def _host(monkeypatch: pytest.MonkeyPatch, text: str) -> Host:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    return Host()


def test_answers_are_read_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    host = _host(monkeypatch, "go\n keep \n")
    host.expect(Answer.GO)
    host.expect(Answer.KEEP)
    with pytest.raises(Failure, match="is gone"):
        host.read_line()
    with pytest.raises(Failure, match="is gone"):
        host.require_present()


def test_another_answer_is_a_failure_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure, match=r"expected the answer 'go', got 'stop'"):
        _host(monkeypatch, "stop\n").expect(Answer.GO)
    require_answer("accept", Answer.ACCEPT)


def test_an_event_is_one_line_with_its_step(capsys: pytest.CaptureFixture[str]) -> None:
    emit_event(Step.PLAN, ChangePlan(update=("sale",)))
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["step"] == "plan" and json.loads(line)["update"] == ["sale"]
