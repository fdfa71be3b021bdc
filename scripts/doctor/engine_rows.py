"""The container engine: versions, context, virtual machine, security modules, limits, clock."""

import json
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from scripts.core.checks import Finding
from scripts.core.errors import OpsError
from scripts.core.process import Runner
from scripts.doctor.rows import Question, failed, ok, warning
from scripts.stack import engine
from scripts.stack.engine import Engine, EngineUnavailableError

GROUP: Final = "Engine"
GIB: Final = 1024**3
NO_ENGINE: Final = "no engine answers"
# As `colima start` gets them in the documentation.
_COLIMA: Final = {"cpu": 6, "memory": 12 * GIB, "disk": 80 * GIB}
_ARCHITECTURES: Final = {"arm64": "aarch64", "amd64": "x86_64"}
_SKEW_SECONDS: Final = (5.0, 300.0)  # a warning; sessions and certificates fail


@dataclass(frozen=True)
class Seen:
    """The engine as far as it answers; `info` is what `docker info` says."""

    engine: Engine | None
    error: EngineUnavailableError | None
    info: Mapping[str, Any]
    skew: float = 0.0  # seconds that its clock is ahead of this machine's


def look(runner: Runner) -> Seen:
    """Ask the engine; never raises EngineUnavailableError."""
    try:
        found = engine.probe(runner)
    except EngineUnavailableError as error:
        return Seen(None, error, {})
    except OpsError as error:  # it does not answer in time
        hung = EngineUnavailableError(engine.Trouble.STOPPED, error.message, error.hint)
        return Seen(None, hung, {})
    asked = time.time()
    done = runner.run(["docker", "info", "--format", "{{json .}}"], timeout=30, check=False)
    info = json.loads(done.stdout) if done.ok and done.stdout.startswith("{") else {}
    return Seen(found, None, info, _skew(str(info.get("SystemTime", "")), asked, time.time()))


def _skew(said: str, asked: float, answered: float) -> float:
    """0 where the time of the engine lies between question and answer, or is not told."""
    whole, _, rest = said.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    try:
        there = datetime.fromisoformat((whole + zone).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
    if there < asked - 1:
        return there - asked
    return max(0.0, there - answered)


def questions(runner: Runner, seen: Seen) -> list[Question]:
    """Those about the engine."""

    def asked(name: str, probe: Callable[[], Finding | None]) -> Question:
        known = probe if seen.engine else lambda: None
        return Question(GROUP, name, known, NO_ENGINE)

    return [
        Question(GROUP, "Engine", lambda: _engine(seen)),
        Question(GROUP, "Context", lambda: _context(runner), "there is no docker"),
        asked("Compose", lambda: ok(seen.engine.compose if seen.engine else "")),
        *_virtual_machine(runner, seen),
        asked("Rootless", lambda: _rootless(seen.info)),
        asked("SELinux and AppArmor", lambda: _security(seen.info)),
        asked("Limits", lambda: _limits(seen.info)),
        asked("Clock", lambda: _clock(seen.skew)),
    ]


def _engine(seen: Seen) -> Finding:
    if seen.error:
        return failed(seen.error.message, seen.error.hint)
    size = seen.engine
    return ok(f"{size.version}, {size.cpus} CPUs, {size.memory / GIB:.1f} GiB" if size else "")


def _context(runner: Runner) -> Finding | None:
    try:
        done = runner.run(["docker", "context", "show"], timeout=30, check=False)
    except OpsError:
        return None
    return ok(done.stdout.strip()) if done.ok else None


def _virtual_machine(runner: Runner, seen: Seen) -> list[Question]:
    """Colima only, which has no more memory than it was started with."""
    colima = seen.info.get("Name") == "colima"
    if not colima and platform.system() != "Darwin":
        return []
    return [Question(GROUP, "Colima", lambda: _colima(runner), "Colima does not run")]


def _colima(runner: Runner) -> Finding | None:
    try:
        done = runner.run(["colima", "status", "--json"], timeout=30, check=False)
        machine = json.loads(done.stdout) if done.ok else {}
    except (OpsError, json.JSONDecodeError):
        return None
    if not machine:
        return None
    faults = []
    small = [name for name, least in _COLIMA.items() if 0 < int(machine.get(name) or 0) < least]
    if small:
        has = ", ".join(f"{name} {_amount(name, int(machine[name]))}" for name in small)
        faults.append(f"the virtual machine is smaller than recommended: {has}")
    arch = str(machine.get("arch", ""))
    own = platform.machine()
    if arch and arch != _ARCHITECTURES.get(own, own):
        faults.append(f"it emulates {arch} on {own}, which is many times slower")
    mount = str(machine.get("mount_type", ""))
    if mount == "sshfs":
        faults.append("mounts are sshfs, which is slow and keeps no owners; use virtiofs")
    if faults:
        hint = "colima stop && colima start --cpu 6 --memory 12 --disk 80 --mount-type virtiofs"
        return warning("; ".join(faults), hint)
    return ok(", ".join(part for part in (arch, mount) if part))


def _amount(name: str, value: int) -> str:
    return str(value) if name == "cpu" else f"{value / GIB:.0f} GB"


def _options(info: Mapping[str, Any]) -> list[str]:
    return [str(option) for option in info.get("SecurityOptions") or []]


def _rootless(info: Mapping[str, Any]) -> Finding:
    if not any("name=rootless" in option for option in _options(info)):
        return ok("no")
    hint = "Ports below 1024: sysctl net.ipv4.ip_unprivileged_port_start=80, or other ports in .env"
    return warning("the engine runs without root: it cannot publish ports below 1024", hint)


def _security(info: Mapping[str, Any]) -> Finding:
    found = [name for name in ("selinux", "apparmor") if f"name={name}" in "".join(_options(info))]
    if "selinux" in found:
        hint = "chcon -Rt container_file_t . in this folder, once and after git pull"
        return warning("the engine enforces SELinux: containers cannot read unlabelled files", hint)
    return ok(", ".join(found) or "neither")


def _limits(info: Mapping[str, Any]) -> Finding:
    missing = [word for word, key in _NEEDED.items() if info.get(key) is False]
    version = f"cgroup v{info.get('CgroupVersion', '?')}"
    if missing:
        said = f"{version} cannot limit {' and '.join(missing)}: one container may take all"
        return warning(said, "Boot with cgroup_enable=memory, or use an engine as root.")
    return ok(version)


_NEEDED: Final = {"memory": "MemoryLimit", "processes": "PidsLimit"}


def _clock(skew: float) -> Finding:
    if abs(skew) < _SKEW_SECONDS[0]:
        return ok()
    word = "ahead of" if skew > 0 else "behind"
    said = f"the engine's clock is {abs(skew):.0f} s {word} this machine's"
    hint = "Set both by NTP; a virtual machine that slept: colima restart"
    return failed(said, hint) if abs(skew) >= _SKEW_SECONDS[1] else warning(said, hint)
