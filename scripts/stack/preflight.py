"""Everything about the host that can be known to fail before a container starts."""

import errno
import shutil
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from scripts.core.checks import Check, Finding, Status
from scripts.core.errors import OpsError
from scripts.core.monitoring_settings import BIND
from scripts.core.settings import Settings
from scripts.stack import permissions
from scripts.stack.compose import Service, Stack
from scripts.stack.engine import Engine

GIB: Final = 1024**3
MIB: Final = 1024**2
LEAST_DISK: Final = 2 * GIB  # a first start writes ~0.5 GiB; the rest is room to live
LEAST_PROJECT_DISK: Final = 16 * MIB  # settings, secrets, locks
LEAST_MEMORY: Final = 2 * GIB


def checks(stack: Stack, engine: Engine, services: Sequence[Service]) -> list[Check]:
    """The checks for `stack` on `engine`; `services` are its containers at present."""
    settings = stack.settings
    ports = [("Nginx", "NGINX_HTTP_PORT", settings.bind, settings.http_port)]
    if settings.tls:
        ports.append(("Nginx", "NGINX_HTTPS_PORT", settings.bind, settings.https_port))
    else:
        ports.append(("Odoo", "ODOO_PORT", settings.odoo_bind, settings.odoo_port))
        mail = settings.mail
        ports.append(("The page with Odoo's mail", "MAIL_PORT", mail.bind, mail.port))
    if settings.debug:
        ports.append(("The debugger", "ODOO_DEBUG_PORT", "127.0.0.1", settings.debug_port))
    if settings.monitoring.wanted:
        found = settings.monitoring
        ports.append(("Prometheus", "PROMETHEUS_PORT", BIND, found.prometheus_port))
        ports.append(("Alertmanager", "ALERTMANAGER_PORT", BIND, found.alertmanager_port))
    if settings.clone.served:
        ports.append(_of_clone(settings))
    programs = permissions.PRODUCTION_PROGRAMS if settings.tls else permissions.PROGRAMS
    ours = {port for service in services if service.state == "running" for port in service.ports}
    return [
        Check("Memory", lambda: _memory(engine)),
        Check("Disk", lambda: _disk(engine.data_root, settings.root)),
        Check("Files", lambda: permissions.finding(settings.root, programs=programs)),
        *([Check("Swarm", lambda: _swarm(stack))] if engine.in_swarm else []),
        *([Check("Enterprise", lambda: _enterprise(settings))] if settings.odoo_enterprise else []),
        *_authorities(settings),
        *(
            Check(f"Port {port}", _port_probe(stack, name, variable, bind, port))
            for name, variable, bind, port in ports
            if port not in ours
        ),
    ]


def clone_port(stack: Stack, services: Sequence[Service]) -> Check:
    """Whether a copy can be served on its port, or is already."""
    name, variable, bind, port = _of_clone(stack.settings)
    probe = _port_probe(stack, name, variable, bind, port)
    ours = any(s.service == "nginx_clone" and port in s.ports for s in services)
    return Check(f"Port {port}", (lambda: Finding(Status.OK)) if ours else probe)


def _of_clone(settings: Settings) -> tuple[str, str, str, int]:
    return "The copy that is served", "CLONE_PORT", settings.clone.bind, settings.clone.port


def _swarm(stack: Stack) -> Finding:
    """Whether a stack of Swarm uses the volumes of this platform here."""
    chosen = f"label=com.docker.stack.namespace={stack.settings.project}"
    argv = ["docker", "ps", "--quiet", "--filter", chosen]
    if not stack.runner.run(argv, timeout=30, check=False).stdout.split():
        return Finding(Status.OK)
    said = "Docker Swarm runs this platform here, on the same volumes"
    hint = f"To change it: inv swarm.deploy. To end it: docker stack rm {stack.settings.project}"
    return Finding(Status.FAILED, said, hint)


def _enterprise(settings: Settings) -> Finding:
    """A database with modules of Enterprise must not be opened without their code."""
    folder = settings.root / Path(settings.odoo_enterprise).expanduser()
    if any(folder.glob("*/__manifest__.py")):
        return Finding(Status.OK)
    said = f"ODOO_ENTERPRISE={settings.odoo_enterprise} holds no modules"
    return Finding(Status.FAILED, said, "Name the folder that has web_enterprise in it.")


def _authorities(settings: Settings) -> list[Check]:
    """Whether the certificates by which servers elsewhere are known can be mounted and read."""
    named = {
        "Authority": ("POSTGRES_EXTERNAL_CA_FILE", settings.postgres.ca_file),
        "Authority of Redis": ("REDIS_EXTERNAL_CA_FILE", settings.redis.ca_file),
    }
    return [
        Check(name, partial(_authority, settings.root, variable, file))
        for name, (variable, file) in named.items()
        if file
    ]


def _authority(root: Path, variable: str, file: str) -> Finding:
    path = root / Path(file).expanduser()
    said = f"{variable}={file}"
    if not path.is_file() or "BEGIN CERTIFICATE" not in path.read_text(errors="replace"):
        return Finding(Status.FAILED, f"{said} is no PEM file", "Get it from the provider.")
    if not path.stat().st_mode & 0o004:
        return Finding(Status.FAILED, f"{said} cannot be read by Odoo", f"chmod a+r {path}")
    return Finding(Status.OK)


def _memory(engine: Engine) -> Finding:
    detail = f"{engine.memory / GIB:.1f} GiB for the engine"
    if engine.memory < LEAST_MEMORY:
        hint = f"Odoo needs {LEAST_MEMORY // GIB} GiB; with Colima: colima start --memory 12"
        return Finding(Status.FAILED, detail, hint)
    return Finding(Status.OK, detail)


def _disk(data_root: Path, project: Path) -> Finding:
    # In a virtual machine (Colima, Docker Desktop) the data root is not on this
    # host, and how full it is cannot be seen from here.
    places = [(project, LEAST_PROJECT_DISK)]
    if data_root.is_dir():
        places.append((data_root, LEAST_DISK))
    for place, least in places:
        free = shutil.disk_usage(place).free
        if free < least:
            return Finding(
                Status.FAILED,
                f"{free / GIB:.2f} GiB free at {place}, {least / GIB:.2f} GiB are needed",
                "Free some space; `docker system df` shows what the engine holds.",
            )
    return Finding(Status.OK)


def _port_probe(
    stack: Stack, name: str, variable: str, bind: str, port: int
) -> Callable[[], Finding]:
    def probe() -> Finding:
        problem = _bind_problem(bind, port)
        if not problem:
            return Finding(Status.OK)
        if problem != errno.EADDRINUSE:
            detail = f"{bind} is no address of this machine"
            return Finding(
                Status.FAILED, detail, f"Correct {variable.partition('_')[0]}_BIND in .env."
            )
        holder = _container_on(stack, port) or _process_on(port) or "another program"
        return Finding(
            Status.FAILED,
            f"taken by {holder}; {name} needs it",
            f"Stop that, or set {variable} in .env to a free port.",
        )

    return probe


def _bind_problem(bind: str, port: int) -> int:
    """The errno of binding, or 0. Ports below 1024 may be the engine's alone to bind."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((bind, port))
        except PermissionError:
            return _connect_problem(family, port)
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return 0


def _connect_problem(family: socket.AddressFamily, port: int) -> int:
    with socket.socket(family) as attempt:
        attempt.settimeout(1)
        taken = attempt.connect_ex(("localhost", port)) == 0
    return errno.EADDRINUSE if taken else 0


def _container_on(stack: Stack, port: int) -> str:
    argv = ["docker", "ps", "--filter", f"publish={port}", "--format", "{{.Names}}"]
    try:
        names = stack.runner.run(argv, timeout=30, check=False).stdout.split()
    except OpsError:  # `inv doctor` looks where there is no docker, too
        return ""
    return f"container {names[0]}" if names else ""


def _process_on(port: int) -> str:
    import psutil  # only once a port is known to be taken

    try:
        for connection in psutil.net_connections("inet"):
            listening = connection.status == psutil.CONN_LISTEN
            address = connection.laddr
            if listening and address and address.port == port and connection.pid:
                name = psutil.Process(connection.pid).name()
                return f"process {connection.pid} ({name})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return ""
    return ""
