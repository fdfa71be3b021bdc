"""What a service could do if it were broken into, read back from the running containers."""

import re
import socket
from typing import Any

import pytest

from tests.e2e.support.production import Production

# Numbers of capabilities in the kernel (capabilities(7)).
_NUMBERS = {
    "CHOWN": 0,
    "DAC_READ_SEARCH": 2,
    "FOWNER": 3,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "NET_BIND_SERVICE": 10,
}
_OWN = ["CHOWN", "DAC_READ_SEARCH", "FOWNER", "KILL", "SETGID", "SETUID"]
_ADDED = {
    "nginx": ["CHOWN", "DAC_READ_SEARCH", "NET_BIND_SERVICE", "SETGID", "SETUID"],
    "odoo": _OWN,
    "odoo_db": _OWN,
    "redis": ["CHOWN", "DAC_READ_SEARCH", "KILL", "SETGID", "SETUID"],
}
_SERVERS = {"nginx": "nginx", "odoo": "odoo|python3?", "odoo_db": "postgres", "redis": "redis-.*"}
_EVERY = pytest.mark.parametrize("service", _ADDED)


def _processes(production: Production, service: str) -> list[dict[str, str]]:
    """The kernel's record of each process of a container, but not of those that read it."""
    script = "for p in /proc/[0-9]*; do cat $p/status 2>/dev/null && echo; done"
    records = production.execute(service, "sh", "-c", script).strip().split("\n\n")
    parsed = [
        {
            key: value.strip()
            for key, _, value in (line.partition(":") for line in record.split("\n"))
        }
        for record in records
    ]
    return [record for record in parsed if record["Name"] not in ("sh", "cat")]


def _mask(service: str) -> int:
    return sum(1 << _NUMBERS[name] for name in _ADDED[service])


@_EVERY
def test_no_process_can_have_more_rights_than_its_service_needs(
    production: Production, service: str
) -> None:
    processes = _processes(production, service)
    assert len(processes) >= 2
    for process in processes:
        for kind in ("CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"):
            assert int(process[kind], 16) & ~_mask(service) == 0, (process["Name"], kind)
        assert process["NoNewPrivs"] == "1"
        assert process["Seccomp"] == "2"


@_EVERY
def test_what_serves_is_not_root_and_has_no_capability(
    production: Production, service: str
) -> None:
    servers = [
        process
        for process in _processes(production, service)
        if re.fullmatch(_SERVERS[service], process["Name"])
    ]
    if service == "nginx":  # its master opens ports 80 and 443, and serves nobody
        masters = [process for process in servers if process["PPid"] in ("0", "1")]
        assert len(masters) == 1
        servers.remove(masters[0])
    assert servers
    for process in servers:
        assert "0" not in process["Uid"].split() + process["Gid"].split()
        assert int(process["CapEff"], 16) == int(process["CapPrm"], 16) == 0


@_EVERY
def test_the_file_system_of_a_service_cannot_be_written(
    production: Production, service: str
) -> None:
    for place in ("/x", "/usr/bin/x", "/etc/x", "/opt/x"):
        done = production.exec(service, "touch", place, user="0")
        assert done.returncode != 0
        assert re.search("Read-only file system|No such file", done.stderr), done.stderr


@_EVERY
def test_memory_and_processes_are_limited(production: Production, service: str) -> None:
    host: dict[str, Any] = production.inspect(service)["HostConfig"]
    assert host["Memory"] > 0 and host["PidsLimit"] > 0
    groups = (
        "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max 2>/dev/null"
        " || cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory/memory.limit_in_bytes"
    )
    found = production.execute(service, "sh", "-c", groups).split()
    assert found == [str(host["PidsLimit"]), str(host["Memory"])]


@_EVERY
def test_a_container_is_a_plain_one(production: Production, service: str) -> None:
    host: dict[str, Any] = production.inspect(service)["HostConfig"]
    assert not host["Privileged"] and host["CapDrop"] == ["ALL"]
    assert sorted(host["CapAdd"] or []) in (
        _ADDED[service],
        [f"CAP_{name}" for name in _ADDED[service]],
    )
    assert (host["PidMode"], host["UTSMode"], host["UsernsMode"]) == ("", "", "")
    assert host["IpcMode"] in ("private", "") and not host["Devices"]
    assert "docker.sock" not in str(production.inspect(service)["Mounts"])


def test_only_the_two_ports_of_nginx_are_published(production: Production) -> None:
    published = {
        (service, inside): [place["HostPort"] for place in places]
        for service in _ADDED
        for inside, places in production.inspect(service)["NetworkSettings"]["Ports"].items()
        if places
    }
    assert published == {
        ("nginx", "80/tcp"): [str(production.http_port)],
        ("nginx", "443/tcp"): [str(production.https_port)],
    }


@pytest.mark.parametrize("service", ["odoo_db", "redis"])
def test_the_data_has_no_way_out(production: Production, service: str) -> None:
    networks = production.inspect(service)["NetworkSettings"]["Networks"]
    assert list(networks) == [f"{production.project}_backend"]
    done = production.run("docker", "network", "inspect", *networks, "--format", "{{.Internal}}")
    assert done.stdout.strip() == "true"
    assert not _connects(production, service, production.address("nginx"), 443)


# What may be said to a server without a password, and how its answer begins: no TLS; an error.
_FIRST_WORDS = {"odoo_db": (5432, r"\0\0\0\10\4\322\26\57", "N"), "redis": (6379, r"PING\r\n", "-")}


@pytest.mark.parametrize("service", ["odoo_db", "redis"])
def test_the_data_does_not_reach_what_listens_on_this_machine(
    production: Production, service: str
) -> None:
    edge = production.inspect("nginx")["NetworkSettings"]["Networks"]
    own = production.inspect(service)["NetworkSettings"]["Networks"]
    gateways = [network["Gateway"] for network in (*edge.values(), *own.values())]
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        assert _connects(production, "odoo", gateways[0], port), "edge is no such network"
        for address in gateways:
            assert not _connects(production, service, address, port), address


@pytest.mark.parametrize("service", _FIRST_WORDS)
def test_nobody_but_odoo_reaches_the_data(production: Production, service: str) -> None:
    address, (port, words, answer) = production.address(service, "backend"), _FIRST_WORDS[service]
    ask = f"exec 3<>/dev/tcp/{address}/{port}; printf '{words}' >&3; head -c 1 <&3"
    argv = ["timeout", "3", "bash", "-c", ask]
    # Who else accepts the connection is no matter: a router on the way out may do so.
    assert production.exec("odoo", *argv).stdout == answer
    assert production.exec("nginx", *argv).stdout != answer
    assert production.run(*argv).stdout != answer, "this machine"


def test_odoo_reaches_its_data_and_the_way_out(production: Production) -> None:
    assert _connects(production, "odoo", production.address("odoo_db", "backend"), 5432)
    # Mail servers and payment providers are beyond the edge network's gateway.
    assert _connects(production, "odoo", production.address("nginx"), 443)
    routes = production.execute("odoo", "cat", "/proc/net/route").splitlines()[1:]
    gateways = [line.split()[2] for line in routes if line.split()[1] == "00000000"]
    networks = production.inspect("odoo")["NetworkSettings"]["Networks"]
    edge = networks[f"{production.project}_edge"]["Gateway"]
    assert gateways == [bytes(map(int, edge.split(".")))[::-1].hex().upper()]


def _connects(production: Production, service: str, address: str, port: int) -> bool:
    attempt = f"timeout 2 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>/dev/null && echo open"
    return "open" in production.execute(service, "sh", "-c", f"{attempt} || true")


@pytest.mark.parametrize(
    ("service", "program"), [("odoo_db", "psql"), ("odoo", "pg_dump"), ("odoo", "psql")]
)
def test_clients_of_postgresql_have_an_openssl_that_gets_fixes(
    production: Production, service: str, program: str
) -> None:
    find = f'ldd "$(readlink -f "$(command -v {program})")"'
    linked = production.execute(service, "bash", "-c", find)
    assert "libssl.so.3" in linked and "libssl.so.1" not in linked, linked


def test_postgresql_itself_speaks_no_tls(production: Production) -> None:
    assert production.sql("SHOW ssl") == "off"
