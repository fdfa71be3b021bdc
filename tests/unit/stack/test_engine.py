import json
from pathlib import Path

import pytest

from scripts.core.completed import Completed
from scripts.stack.engine import Engine, EngineUnavailableError, Trouble, ensure, probe
from tests.unit.support.fakes import FakeReporter, FakeRunner, says

_INFO = {"ServerVersion": "28.2.2", "NCPU": 8, "MemTotal": 17179869184, "DockerRootDir": "/d"}


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which there is nothing but a `docker` client."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text("")
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _runner(info: Completed | None = None, version: Completed | None = None) -> FakeRunner:
    return FakeRunner(
        {
            "docker info": info or says(json.dumps(_INFO)),
            "docker compose version": version or says("2.39.1\n"),
        }
    )


def _trouble(runner: FakeRunner) -> EngineUnavailableError:
    with pytest.raises(EngineUnavailableError) as caught:
        probe(runner)
    assert caught.value.hint
    return caught.value


def test_a_usable_engine_is_described() -> None:
    assert probe(_runner()) == Engine("28.2.2", "2.39.1", 8, 17179869184, Path("/d"))


def test_a_missing_client_is_told_from_a_stopped_engine(programs: Path) -> None:
    (programs / "docker").unlink()
    runner = _runner()
    assert _trouble(runner).trouble is Trouble.NO_CLIENT
    assert runner.calls == []


@pytest.mark.parametrize(
    "answer",
    [
        says(code=1, stderr="Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
        says(json.dumps({"ServerErrors": ["Cannot connect to the Docker daemon"]})),
    ],
)
def test_a_stopped_engine_is_recognised(answer: Completed) -> None:
    assert _trouble(_runner(answer)).trouble is Trouble.STOPPED


@pytest.mark.parametrize(
    "answer",
    [
        says(code=1, stderr="permission denied while trying to connect to the Docker daemon"),
        says(json.dumps({"ServerErrors": ["Got permission denied while trying to connect"]})),
    ],
)
def test_an_engine_of_somebody_else_is_recognised(answer: Completed) -> None:
    error = _trouble(_runner(answer))
    assert error.trouble is Trouble.DENIED
    assert "usermod" in error.hint


def test_a_context_that_is_not_there_is_named_and_starts_no_engine(tmp_path: Path) -> None:
    said = 'Failed to initialize: unable to resolve docker endpoint: context "x": context not found'
    runner = _runner(says(code=1, stderr=said))
    error = _trouble(runner)
    assert (error.trouble, error.message) == (Trouble.NO_CONTEXT, "there is no Docker context 'x'")
    with pytest.raises(EngineUnavailableError, match="no Docker context"):
        ensure(runner, FakeReporter(), tmp_path)
    assert runner.changing == []


@pytest.mark.parametrize(
    "answer", [says(code=1, stderr="docker: 'compose' is not a docker command."), says("")]
)
def test_a_missing_compose_plugin_is_recognised(answer: Completed) -> None:
    error = _trouble(_runner(version=answer))
    assert error.trouble is Trouble.NO_COMPOSE
    assert "not installed" in error.message


@pytest.mark.parametrize("version", ["2.24.3", "v2.9.99", "1.29.2"])
def test_an_old_compose_is_refused_by_number_not_by_text(version: str) -> None:
    error = _trouble(_runner(version=says(version)))
    assert error.trouble is Trouble.NO_COMPOSE
    assert f"{version} is too old; 2.24.4" in error.message


@pytest.mark.parametrize("version", ["2.24.4", "v2.100.0", "5.6.1", "2.33.0-desktop.1"])
def test_a_new_enough_compose_is_accepted(version: str) -> None:
    assert probe(_runner(version=says(version))).compose in version


def test_denied_is_not_mended_by_installing_things(tmp_path: Path) -> None:
    runner = _runner(says(code=1, stderr="permission denied"))
    with pytest.raises(EngineUnavailableError):
        ensure(runner, FakeReporter(), tmp_path)
    assert runner.changing == []


def test_a_ready_engine_is_left_alone(tmp_path: Path) -> None:
    runner, reporter = _runner(), FakeReporter()
    assert ensure(runner, reporter, tmp_path).cpus == 8
    assert (runner.changing, reporter.said, reporter.asked) == ([], [], [])


def test_a_foreign_docker_host_is_never_replaced_by_an_engine_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    runner = _runner(says(code=1, stderr="Cannot connect"))
    with pytest.raises(Exception, match=r"tcp://192\.0\.2\.1:2375"):
        ensure(runner, FakeReporter(), tmp_path)
    assert runner.changing == []
