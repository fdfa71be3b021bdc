"""`inv up --debug`: a debugger in a running Odoo, and never unasked."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.e2e.support.checkout import Checkout, free_port
from tests.e2e.support.dap import Debugger
from tests.e2e.support.probe import RELOAD_SECONDS, Probe
from tests.support.waiting import eventually

_SOURCE = "/mnt/extra-addons/probe/controllers.py"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def probe(platform: Checkout, port: int) -> Iterator[Probe]:
    """The platform after `inv up --debug`, and after `inv up` in the end."""
    debugged = replace(platform, variables={"ODOO_DEBUG_PORT": str(port), **platform.variables})
    up = debugged.inv("up", "--debug")
    try:
        assert up.returncode == 0, up.stderr
        assert f"Debugger: debugpy listens on 127.0.0.1:{port}" in up.stderr
        probe = Probe(debugged)
        probe.install()
        yield probe
    finally:
        assert platform.inv("up").returncode == 0


def _listens(address: str, port: int) -> bool:
    with socket.socket() as attempt:
        attempt.settimeout(5)
        return attempt.connect_ex((address, port)) == 0


def _ready(port: int) -> bool:
    """Whether a debugger can attach; the engine's proxy takes connections before debugpy does."""
    try:
        with Debugger.attached(port) as debugger:
            debugger.ask("disconnect")
            return True
    except (AssertionError, OSError):
        return False


def _bridge(platform: Checkout) -> str:
    """An address of this machine that is not the loopback."""
    form = "{{(index .IPAM.Config 0).Gateway}}"
    network = f"{platform.project}_edge"
    return platform.run("docker", "network", "inspect", "--format", form, network).stdout.strip()


def _stop_at(probe: Probe, debugger: Debugger, text: str) -> None:
    """Set a breakpoint, ask for the page, look at the frame that stops there, go on."""
    lines = (probe.folder / "controllers.py").read_text().splitlines()
    line = next(number for number, content in enumerate(lines, 1) if text in content)
    places = [{"line": line}]
    debugger.ask("setBreakpoints", source={"path": _SOURCE}, breakpoints=places)
    debugger.ask("configurationDone")
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(probe.answer, "/probe")
        thread = debugger.event("stopped")["body"]["threadId"]
        frames = debugger.ask("stackTrace", threadId=thread, startFrame=0, levels=1)
        frame = frames["body"]["stackFrames"][0]
        assert (frame["source"]["path"], frame["line"]) == (_SOURCE, line)
        value = debugger.ask("evaluate", expression="type(self).__name__", frameId=frame["id"])
        assert value["body"]["result"] == "'Probe'"
        debugger.ask("continue", threadId=thread)
        assert text.strip('"') in asked.result(timeout=60)
    debugger.ask("disconnect")


def test_a_breakpoint_stops_a_request_and_shows_its_variables(probe: Probe, port: int) -> None:
    assert eventually(lambda: _ready(port), 30)
    with Debugger.attached(port) as debugger:
        _stop_at(probe, debugger, '"first"')


def test_only_this_machine_reaches_it(probe: Probe, port: int) -> None:
    (published,) = probe.platform.inspect("odoo")["NetworkSettings"]["Ports"]["5678/tcp"]
    assert published == {"HostIp": "127.0.0.1", "HostPort": str(port)}
    # Never by connecting and saying nothing: debugpy then answers nobody any more.
    assert _ready(port)
    assert not _listens(_bridge(probe.platform), port)


def test_it_is_there_again_after_a_reload_even_if_somebody_was_attached(
    probe: Probe, port: int
) -> None:
    with Debugger.attached(port) as debugger:
        debugger.ask("configurationDone")
        probe.save("controllers.py", '"first"', '"second"')
        assert probe.says("second")
    assert eventually(lambda: _ready(port), RELOAD_SECONDS)
    with Debugger.attached(port) as debugger:
        _stop_at(probe, debugger, '"second"')
    assert probe.platform.inspect("odoo")["RestartCount"] == 0


def test_a_request_that_stands_at_a_breakpoint_does_not_hold_up_a_reload(
    probe: Probe, port: int
) -> None:
    lines = (probe.folder / "controllers.py").read_text().splitlines()
    line = next(number for number, content in enumerate(lines, 1) if '"second"' in content)
    with Debugger.attached(port) as debugger, ThreadPoolExecutor() as pool:
        debugger.ask("setBreakpoints", source={"path": _SOURCE}, breakpoints=[{"line": line}])
        debugger.ask("configurationDone")
        pool.submit(probe.answer, "/probe")
        debugger.event("stopped")
        probe.save("controllers.py", '"second"', '"third"')
        assert probe.says("third")


def test_the_next_start_drops_it_and_production_refuses_it(probe: Probe, port: int) -> None:
    refused = probe.platform.inv("up", "--prod", "--debug")
    assert (refused.returncode, "no debugger in production" in refused.stderr) == (2, True)
    up = probe.platform.inv("up")
    assert up.returncode == 0, up.stderr
    assert not probe.platform.inspect("odoo")["NetworkSettings"]["Ports"].get("5678/tcp")
    assert not _listens("127.0.0.1", port)
    top = ["docker", "top", probe.platform.container("odoo"), "-eo", "pid,args"]
    assert "debugpy" not in probe.platform.run(*top).stdout


def test_by_plain_compose_too(probe: Probe, port: int) -> None:
    files = ["-f", "compose.yaml", "-f", "compose.debug.yaml"]
    up = probe.platform.compose(*files, "up", "-d", "--wait", "odoo")
    assert up.returncode == 0, up.stderr
    assert eventually(lambda: _ready(port), 30)
