"""Completion of command lines in real shells, at a real terminal."""

import io
import re
import tarfile
from collections.abc import Iterator
from importlib.metadata import distribution

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support.debian_host import DebianHost, debian_host

HOME = "/home/somebody"
PROJECT = f"{HOME}/my project"
# What `inv` needs for an answer; no .env, no secrets, and there is no Docker on that machine.
NEEDED = "scripts toolbox tasks.py requirements compose.yaml compose.prod.yaml secrets.example"
PYTHON = b'#!/bin/sh\nexec python3 "$@"\n'
TAB, BEGIN, END, ENTER = "\t", "\x01", "\x05", "\r"
SHELLS = {
    "bash": ("bash", "--rcfile", f"{HOME}/rc.bash"),
    "zsh": ("env", f"ZDOTDIR={HOME}/zsh", "zsh"),
    "fish": ("fish",),
}
SETTINGS = {
    "rc.bash": 'PS1="READY> "\nsource <(inv --print-completion-script bash)\n',
    "zsh/.zshrc": 'PS1="READY> "\nsource <(inv --print-completion-script zsh)\n',
    ".config/fish/config.fish": (
        "set -g fish_greeting\nfunction fish_prompt; echo -n 'READY> '; end\n"
        "inv --print-completion-script fish | source\n"
    ),
}
each_shell = pytest.mark.parametrize("shell", SHELLS)


@pytest.fixture(scope="module")
def machine(docker: Engine) -> Iterator[DebianHost]:
    with debian_host(kind="shells") as started:
        started.ok("mkdir", "-p", f"{PROJECT}/odoo/addons/our_module", f"{HOME}/zsh")
        copy = f"cd /src && tar -c --exclude __pycache__ {NEEDED} | tar -x -C '{PROJECT}'"
        started.ok("sh", "-c", copy)
        started.write(f"{PROJECT}/odoo/addons/our_module/__manifest__.py", b"{}")
        names = b'["20261127-020000-aa11", "20261126-020000-bb22"]'
        started.write(f"{PROJECT}/.state/known-names/backups.json", names)
        started.write(f"{HOME}/dump of today.zip", b"")
        _install(started)
        for name, text in SETTINGS.items():
            started.write(f"{HOME}/{name}", text.encode())
        yield started


def _install(machine: DebianHost) -> None:
    """Make a .venv like that of scripts/inv, with the packages of this process."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("invoke", "python-dotenv"):
            for file in distribution(name).files or ():
                if file.parts[0] != ".." and file.suffix != ".pyc":
                    archive.add(str(file.locate()), str(file))
    machine.ok("tar", "-x", "-C", "/usr/lib/python3/dist-packages", stdin=packed.getvalue())
    machine.write(f"{PROJECT}/.venv/bin/python", PYTHON)
    machine.ok("chmod", "755", f"{PROJECT}/.venv/bin/python")
    machine.ok("cp", f"{PROJECT}/requirements/base.lock", f"{PROJECT}/.venv/base.lock")
    machine.ok("ln", "-s", f"{PROJECT}/scripts/inv", "/usr/local/bin/inv")


def _type(machine: DebianHost, shell: str, keys: str, until: str, folder: str = HOME) -> str:
    """What a terminal shows when `keys` are typed there, until `until` is in it."""
    words = [
        "env",
        "-C",
        folder,
        f"HOME={HOME}",
        "python3",
        "/src/tests/e2e/support/shells/typed.py",
    ]
    return machine.ok(*words, keys, until, *SHELLS[shell]).decode(errors="replace")


def _completed(machine: DebianHost, shell: str, line: str, folder: str = HOME) -> list[str]:
    """The words of the line that `line` and a TAB make."""
    keys = f"{line}{TAB}{END} END{BEGIN}printf '<%s>' BEGIN {ENTER}"
    shown = _type(machine, shell, keys, "<END>", folder)
    return re.findall(r"<([^>]*)>", shown.rpartition("<BEGIN>")[2])[:-1]


def _all(*texts: str) -> str:
    """A regular expression for all of them, in whatever order."""
    return "(?s)" + "".join(f"(?=.*{re.escape(text)})" for text in texts)


# What each shell divides in its own way; the words themselves are `inv`'s answer in all of them.
_PECULIAR = [
    ("inv logs --foll", ["inv", "logs", "--follow"]),
    ("inv module.install sale,our_", ["inv", "module.install", "sale,our_module"]),
    ("inv supabase.status --target=clo", ["inv", "supabase.status", "--target=cloud"]),
    ("inv restore dump", ["inv", "restore", "dump of today.zip"]),
    ("inv nosuch", ["inv", "nosuch"]),
]  # fmt: skip
_WORDS = [
    ("inv module.rehe", ["inv", "module.rehearse"]),
    ("inv logs ngi", ["inv", "logs", "nginx"]),
    ("inv restart alertm", ["inv", "restart", "alertmanager"]),
    ("inv backup.verify 20261126", ["inv", "backup.verify", "20261126-020000-bb22"]),
    ("inv setup-tls lets", ["inv", "setup-tls", "letsencrypt"]),
    ("inv supabase.status --target clo", ["inv", "supabase.status", "--target", "cloud"]),
    ("inv jobs --status compl", ["inv", "jobs", "--status", "completed"]),
    ("inv test --only stat", ["inv", "test", "--only", "static"]),
    ("inv help module.sn", ["inv", "help", "module.snapshots"]),
    ("inv backup --plain dump", ["inv", "backup", "--plain", "dump of today.zip"]),
    ("inv restore 20261126", ["inv", "restore", "20261126-020000-bb22"]),
    ("inv psql --database od", ["inv", "psql", "--database", "odoo"]),
    ("inv sessions.revoke --user dump", ["inv", "sessions.revoke", "--user", "dump"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("shell", "line", "words"),
    [
        *((shell, *each) for shell in SHELLS for each in _PECULIAR),
        *(("bash", *each) for each in _WORDS),
        *(
            pytest.param(shell, *each, marks=pytest.mark.extended)
            for shell in ("zsh", "fish")
            for each in _WORDS
        ),
    ],
)
def test_a_tab_completes_the_word(
    machine: DebianHost, shell: str, line: str, words: list[str]
) -> None:
    assert _completed(machine, shell, line) == words


@each_shell
@pytest.mark.parametrize("path", ["./scripts/inv", "scripts/inv", "~/my\\ project/scripts/inv"])
def test_a_path_to_it_is_completed_likewise(machine: DebianHost, shell: str, path: str) -> None:
    *_, last = _completed(machine, shell, f"{path} module.inst", PROJECT)
    assert last == "module.install"


@each_shell
def test_a_second_tab_lists_what_is_possible(machine: DebianHost, shell: str) -> None:
    _type(machine, shell, f"inv setup-tls {TAB}{TAB}", _all("letsencrypt", "selfsigned"))
    _type(machine, shell, f"inv module.{TAB}{TAB}", _all("module.rollback", "module.update"))


def test_zsh_and_fish_say_what_each_is_for(machine: DebianHost) -> None:
    for shell in ("zsh", "fish"):
        _type(machine, shell, f"inv logs --{TAB}{TAB}", _all("Keep printing", "--tail"))


def test_fish_offers_the_same_by_its_own_interface(machine: DebianHost) -> None:
    asked = ["env", f"HOME={HOME}", "fish", "-c", 'complete -C "inv backup.show "']
    found = machine.ok(*asked).decode().splitlines()
    assert sorted(found) == ["20261126-020000-bb22", "20261127-020000-aa11", "latest"]


@each_shell
def test_a_broken_env_file_and_no_docker_are_no_reason_to_say_anything(
    machine: DebianHost, shell: str
) -> None:
    machine.write(f"{PROJECT}/.env", b"\xff\xfeO\x00\nNGINX_HTTP_PORT=eighty\n")
    try:
        assert _completed(machine, shell, "inv module.install our_")[-1] == "our_module"
        shown = _type(machine, shell, f"inv psql -d {TAB}x{BEGIN}echo {ENTER}", "inv psql -d .*\n")
        assert "error" not in shown and "Traceback" not in shown
    finally:
        machine.ok("rm", f"{PROJECT}/.env")


def test_a_checkout_without_its_packages_is_not_installed_by_a_tab(machine: DebianHost) -> None:
    machine.ok("mv", f"{PROJECT}/.venv", f"{PROJECT}/.venv.away")
    try:
        done = machine.run("inv", "--complete", "mod")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert machine.run("ls", f"{PROJECT}/.venv").returncode != 0
    finally:
        machine.ok("mv", f"{PROJECT}/.venv.away", f"{PROJECT}/.venv")


def _processor_seconds(machine: DebianHost, command: str) -> float:
    """Of the second of two runs of ten."""
    loop = f"for n in 1 2 3 4 5 6 7 8 9 10; do {command}; done"
    machine.ok("sh", "-c", loop)
    told = machine.ok("sh", "-c", f"{loop} >/dev/null; times").decode()
    used = re.findall(r"(\d+)m([\d.]+)s", told.splitlines()[1])
    return sum(int(minutes) * 60 + float(rest) for minutes, rest in used)


def test_an_answer_is_quick(machine: DebianHost) -> None:
    # Against what any answer of Python's costs here: machines differ, and have other work.
    start = _processor_seconds(machine, "python3 -c 'import json, subprocess'")
    assert _processor_seconds(machine, "inv --complete module.install ''") < 12 * start
