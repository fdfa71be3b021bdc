"""Parts of the program of backups that no fault from outside can be aimed at."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from argparse import Namespace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.unit.support import psycopg2_stub
from tests.unit.support.backups import MANIFEST
from toolbox.backup import __main__ as program
from toolbox.backup import export, owner, pg_restore, restic, restore, sandbox_result, swap
from toolbox.contract.backups import Manifest, StoredBackup
from toolbox.contract.codec import decode
from toolbox.core import filestore, properties
from toolbox.core.errors import Failure


def _set(part: str) -> StoredBackup:
    return StoredBackup(
        snapshots={part: "1"},
        paths={part: "/x"},
        id="id",
        time="",
        database="odoo",
        odoo="18.0",
        installation="here",
        bytes=1,
        added=1,
        files=1,
    )


def test_a_full_disk_under_an_sql_dump_ends_who_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pg_restore = tmp_path / "pg_restore"
    pg_restore.write_text("#!/bin/sh\nexec cat\n")
    pg_restore.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def start(*_: str, **streams: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(["head", "-c", "5000000", "/dev/zero"], **streams)

    class Full(io.BytesIO):
        def write(self, *_: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(restic, "start", start)
    chosen = _set("database")
    with pytest.raises(OSError, match="No space left"):
        export._write_sql(chosen, decode(Manifest, MANIFEST), Full())


@pytest.mark.parametrize("cut", [0, 700, 1500])
def test_files_that_end_in_the_middle_are_a_failure_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    with tarfile.open(tmp_path / "whole.tar", "w") as whole:
        for name in ("ab/one", "cd/two"):
            member = tarfile.TarInfo(name)
            member.size = 600
            whole.addfile(member, io.BytesIO(b"x" * 600))
    (tmp_path / "cut.tar").write_bytes((tmp_path / "whole.tar").read_bytes()[:cut])

    def start(*_: str, stdout: int) -> "subprocess.Popen[bytes]":
        argv = ["sh", "-c", "cat cut.tar; exit 1"]
        return subprocess.Popen(argv, cwd=tmp_path, stdout=stdout)

    monkeypatch.setattr(restic, "start", start)
    chosen = _set("files")
    with (
        zipfile.ZipFile(tmp_path / "b.zip", "w") as archive,
        pytest.raises(Failure, match="could not read the files back"),
    ):
        export._copy_files(chosen, archive)


@pytest.mark.parametrize(
    ("count", "size", "many"), [(0, 0, False), (5, 10, False), (8, 10, True), (2, 60, True)]
)
def test_only_a_filestore_that_has_grown_much_is_saved_in_two_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, size: int, many: bool
) -> None:
    monkeypatch.setattr(filestore, "QUICK_COUNT", 7)
    monkeypatch.setattr(filestore, "QUICK_BYTES", 100)
    for number in range(count):
        (tmp_path / f"{number % 3}").mkdir(exist_ok=True)
        (tmp_path / f"{number % 3}" / f"{number}").write_bytes(b"x" * size)
    assert filestore.take_long_to_save(tmp_path, 0.0) is many
    assert (
        filestore.take_long_to_save(tmp_path, time.time() + 60) is False
    )  # none is as new as that


def test_what_is_altered_of_a_function_is_what_differs_from_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = {"volatility": "STABLE", "parallel": "SAFE", "cost": 1.0, "rows": 0.0}
    mine = {"a(text)": {**new, "volatility": "IMMUTABLE", "number": 5}, "b()": {**new, "number": 6}}
    fresh = {"a(text)": {**new, "number": 8}, "b()": {**new, "number": 9}}
    changed = {"a(text)": {"volatility": "IMMUTABLE"}}
    assert properties.altered(mine, fresh) == changed
    assert properties.altered(changed, fresh) == changed  # as a restore asks
    assert properties.altered(properties.changeable(mine), fresh) == changed
    assert properties.altered({"gone()": new}, fresh) == {}


def test_functions_are_altered_in_a_plain_dump_before_anything_uses_them() -> None:
    text = (
        b"--\n-- Name: zz; Type: SCHEMA; Schema: -; Owner: -\n--\nCREATE SCHEMA zz;\n"
        b"-- Name: unaccent; Type: EXTENSION; Schema: -; Owner: -\nCREATE EXTENSION unaccent;\n"
        b"-- Name: EXTENSION unaccent; Type: COMMENT; Schema: -; Owner: -\nCOMMENT ...;\n"
        b"-- Name: t; Type: TABLE; Schema: public; Owner: -\nCREATE TABLE t ();\n"
    )
    source, target = io.BytesIO(text), io.BytesIO()
    altered = {"zz.each(zz.hstore)": {"volatility": "IMMUTABLE", "cost": 7.0}}
    export._insert(export._statements(altered), source, target)
    written = (target.getvalue() + source.read()).decode()
    alter = written.index("ALTER FUNCTION zz.each(zz.hstore) IMMUTABLE COST 7.0;")
    assert written.index("COMMENT ...") < alter < written.index("CREATE TABLE")
    assert written.replace(export._statements(altered), "").encode() == text


def test_a_file_system_without_owners_fails_no_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").touch()
    asked = []

    def chown(place: Path, *_: int, follow_symlinks: bool) -> None:
        asked.append(place)
        raise PermissionError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "chown", chown)
    monkeypatch.setattr(owner, "expected", lambda folder: (4711, 4711))
    owner.apply(tmp_path)
    assert asked == [tmp_path]


@pytest.mark.parametrize(
    ("command", "given"),
    [("create", 1), ("key-add", 1), ("key-undo", 1), ("key-finish", 1), ("list", 0)],
)
def test_what_writes_into_the_repository_gives_it_to_its_owner_however_it_ends(
    monkeypatch: pytest.MonkeyPatch, command: str, given: int
) -> None:
    gave: list[str] = []
    monkeypatch.setattr(owner, "apply", lambda: gave.append(command))

    def fail(_: object) -> None:
        raise Failure("no")

    with pytest.raises(Failure):
        program._run(Namespace(command=command, run=fail))
    assert len(gave) == given


@pytest.mark.parametrize(("version", "fits"), [("17.0", False), ("18.0", True)])
def test_what_is_restored_beside_the_platform_s_own_database_is_of_its_odoo_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, fits: bool
) -> None:
    server = MagicMock()
    server.exists.side_effect = lambda _, database: database == "odoo"  # and no "staging" yet
    server.describe.return_value = MagicMock(odoo="18.0")
    for module, name in (
        (restore, "postgres"),
        (restore, "contents"),
        (swap, "postgres"),
        (swap, "databases"),
    ):
        monkeypatch.setattr(module, name, server)
    monkeypatch.setattr(pg_restore, "clean_up", lambda: None)
    monkeypatch.setenv("ODOO_DATABASE", "odoo")
    name = "staging__restoring"

    def stage() -> None:
        with restore.staging(name, tmp_path):
            restore.require_same_odoo(version, "")

    if fits:
        stage()
        return
    with pytest.raises(Failure, match=r"of Odoo 17\.0, and Odoo 18"):
        stage()
    assert [call.args for call in server.drop.call_args_list] == [(name,), (name,)]  # and again


_EVIL = "\x1b]0;evil\x07\u202e"


@pytest.mark.parametrize("kind", ["Failure", "Error"])
def test_no_name_in_a_stranger_s_dump_reaches_the_terminal_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    said = f'pg_restore: error: no "{_EVIL}"\nCommand was: DROP {_EVIL}'
    pg_restore._note_left_out([f"7; 0 0 EXTENSION - {_EVIL} "], [_EVIL])
    reason = pg_restore._reason(said)
    error = Failure(reason) if kind == "Failure" else psycopg2_stub.Error(reason)

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(program, "_run", fail)
    monkeypatch.setattr(sys, "argv", ["backup", "list"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        program.main()
    shown = f"{ended.value}\n{capsys.readouterr().err}"
    assert shown.count("evil") == 4
    assert not [letter for letter in shown if letter != "\n" and not letter.isprintable()]


@pytest.mark.parametrize(
    ("functions", "taken"),
    [({"public.unaccent(text)": "IMMUTABLE"}, True), ([1], False), (None, False), ("x", False)],
)
def test_of_what_the_sandbox_tells_only_what_has_the_right_form_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, functions: object, taken: bool
) -> None:
    told = {"file": "a.sql", "zip": False, "bytes": 1, "roles": [], "functions": functions}
    (tmp_path / "database.dump").touch()
    (tmp_path / "answer.json").write_text(json.dumps(told))
    monkeypatch.setattr(sandbox_result, "DUMP", tmp_path / "database.dump")
    monkeypatch.setattr(sandbox_result, "_ANSWER", tmp_path / "answer.json")
    if taken:
        answer = sandbox_result.read(Path("a.sql"))
        assert answer.functions == {"public.unaccent(text)": {"volatility": "IMMUTABLE"}}
        return
    with pytest.raises(Failure, match="has not read"):
        sandbox_result.read(Path("a.sql"))
