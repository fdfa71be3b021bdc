"""The answers of containers, and what is said of one that could not be started."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.interruption import TerminatedError
from scripts.core.process import RunOptions
from scripts.stack import oneoff
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, settings_in
from toolbox.contract.backups import OdooInfo

_CHANGED = """ Network ipai-platform_backend Creating
Error response from daemon: error while removing network: network ipai-platform_backend id \
1924db74 has active endpoints
"""


def test_networks_that_have_changed_under_a_running_platform_are_named_with_the_way_on() -> None:
    error = oneoff.failure(Completed((), 1, "", _CHANGED), "backups", "BACKUP_MEMORY")
    assert "other networks" in error.message and error.hint == "Run: inv up"


def test_a_platform_that_swarm_runs_is_named_as_the_reason() -> None:
    said = (
        "Error response from daemon: Could not attach to network ipai-platform_backend: rpc error:"
    )
    said += " code = PermissionDenied desc = network ipai-platform_backend not manually attachable"
    error = oneoff.failure(Completed((), 1, "", said), "backups", "BACKUP_MEMORY")
    assert error.message == "Docker Swarm runs this platform here" and "swarm" in error.hint


def test_the_reason_of_the_program_itself_comes_first() -> None:
    said = Completed((), 1, "", "error: no room has active endpoints\nhint: make some\n")
    error = oneoff.failure(said, "backups", "BACKUP_MEMORY")
    assert (error.message, error.hint) == ("no room has active endpoints", "make some")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"odoo": "18.0"}'])
def test_an_answer_of_another_form_is_an_error_with_a_way_out(text: str) -> None:
    with pytest.raises(OpsError, match="cannot be read") as caught:
        oneoff.answer(OdooInfo, text)
    assert "git status" in caught.value.hint
    assert oneoff.answer(OdooInfo, '{"odoo": "18.0", "modules": ["base"]}').modules == ("base",)


class _Interrupted(FakeRunner):
    """A run of a container that Ctrl-C, a signal or its time limit ends."""

    error: BaseException = KeyboardInterrupt()

    def run(self, argv: Sequence[str], **options: Unpack[RunOptions]) -> Completed:
        done = super().run(argv, **options)
        if "--name" in argv:
            raise self.error
        return done


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TerminatedError(), OpsError("too long")])
def test_the_container_of_an_interrupted_run_is_stopped_before_the_command_ends(
    tmp_path: Path, error: BaseException
) -> None:
    runner = _Interrupted()
    runner.error = error
    with pytest.raises(type(error)):
        oneoff.run(Stack(settings_in(tmp_path), runner), "restore", "databases", timeout=60)
    started, stop, remove = runner.calls
    name = started[started.index("--name") + 1]
    assert name.startswith("ipai-platform-restore-run-")
    assert stop[:2] == ["docker", "stop"] and remove[:3] == ["docker", "rm", "--force"]
    assert stop[-1] == remove[-1] == name


def test_the_container_of_a_run_that_failed_by_itself_is_left_to_compose(tmp_path: Path) -> None:
    runner = FakeRunner({"docker compose": Completed((), 1, "", "error: no\n")})
    done = oneoff.run(Stack(settings_in(tmp_path), runner), "restore", "databases", timeout=60)
    assert done.code == 1 and len(runner.calls) == 1
