"""The program of the sandbox: what a file is, which errors count, how much room is left."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from toolbox.backup import archives, dump_errors, psql
from toolbox.core.errors import Failure

_SQL = b"--\n-- PostgreSQL database dump\n--\nSELECT 1;\n-- PostgreSQL database dump complete\n--\n"
_CLUSTER = b"--\n-- PostgreSQL database cluster dump\n--\n"
_PSQL = "psql:<stdin>:7: "


def _zip(content: bytes, name: str = "dump.sql") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def _tar(*names: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "form"),
    [
        pytest.param(content, form, id=f"{form} {number}")
        for number, (content, form) in enumerate(
            [
                (_SQL, "sql"),
                (_CLUSTER, "sql"),
                (gzip.compress(_SQL), "sql"),
                (bz2.compress(_SQL), "sql"),
                (lzma.compress(_SQL), "sql"),
                (_zip(_SQL), "sql"),
                (b"PGDMP\1\16\0", "custom"),
                (gzip.compress(b"PGDMP\1\16\0"), "custom"),
                (_tar("toc.dat", "restore.sql"), "tar"),
                (gzip.compress(_tar("d/toc.dat", "d/1.dat.gz")), "tar"),
            ]
        )
    ],
)
def test_what_a_file_is_shows_in_its_content(tmp_path: Path, content: bytes, form: str) -> None:
    (tmp_path / "named.anyhow").write_bytes(content)
    assert archives.form(tmp_path / "named.anyhow") == form


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(content, reason, id=f"{reason} {number}")
        for number, (content, reason) in enumerate(
            [
                (b"", "neither a dump"),
                (b"hello\n" * 2000, "neither a dump"),
                (_SQL.decode().encode("utf-16"), "UTF-16"),
                (_zip(_SQL, "other.sql"), r"no dump\.sql"),
                (_zip(_SQL)[:40], "cut off"),
                (gzip.compress(_SQL)[:20], "cut off"),
            ]
        )
    ],
)
def test_what_is_no_dump_is_refused_with_a_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "dump.sql").write_bytes(content)
    with pytest.raises(Failure, match=reason):
        archives.form(tmp_path / "dump.sql")


def test_a_folder_that_was_put_into_a_tar_is_taken_out_flat(tmp_path: Path) -> None:
    tar = tmp_path / "d.tar"
    tar.write_bytes(_tar("d/toc.dat", "d/1.dat", "other/2.dat", "../../escaped"))
    (tmp_path / "place").mkdir()
    folder = archives.unpack(tar, tmp_path / "place")
    assert sorted(p.name for p in folder.iterdir()) == ["1.dat", "toc.dat"]
    assert not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize("tail", [b"", b"-- PostgreSQL database dump"], ids=["no", "half"])
def test_a_dump_without_its_last_line_is_cut_off(tmp_path: Path, tail: bytes) -> None:
    (tmp_path / "half.sql").write_bytes(_SQL[:40] + tail)
    with pytest.raises(Failure, match="its last line is missing"):
        archives.check(tmp_path / "half.sql")


def _read(*lines: str) -> Any:
    errors = dump_errors.DumpErrors("a.sql")
    errors.read(f"{line}\n" for line in lines)
    return errors


@pytest.mark.parametrize(
    ("message", "statement", "told"),
    [
        ('relation "x" does not exist', "DROP TABLE public.x;", ""),
        ('relation "x" does not exist', "ALTER TABLE ONLY public.x DROP CONSTRAINT y;", ""),
        ('role "bob" does not exist', "ALTER TABLE public.x OWNER TO bob;", ""),
        ('role "bob" does not exist', "GRANT ALL ON TABLE public.x TO bob;", "permissions"),
        ('role "bob" does not exist', "CREATE POLICY p ON public.x TO bob;", "permissions"),
        ('role "postgres" already exists', "CREATE ROLE postgres;", ""),
        ('schema "public" already exists', "CREATE SCHEMA public;", ""),
        (
            'unrecognized configuration parameter "transaction_timeout"',
            "SET transaction_timeout = 0;",
            "",
        ),
        ('unrecognized configuration parameter "of_19"', "SET of_19 = 0;", "settings"),
        ('extension "timescaledb" is not available', "CREATE EXTENSION timescaledb;", "extensions"),
        ('extension "timescaledb" does not exist', "COMMENT ON EXTENSION timescaledb IS '';", ""),
        (
            'directory "/fast" does not exist',
            "CREATE TABLESPACE fast LOCATION '/fast';",
            "tablespaces",
        ),
    ],
)
def test_what_only_the_other_server_has_is_left_out_and_told(
    message: str, statement: str, told: str
) -> None:
    for error, shown in (
        (f"{_PSQL}ERROR:  {message}", f"{_PSQL}STATEMENT:  {statement}"),
        (
            f"pg_restore: error: could not execute query: ERROR:  {message}",
            f"Command was: {statement}",
        ),
    ):
        found = _read(error, "LINE 1: any", shown).lines
        assert [told in line and message in line for line in found] == [True] * bool(told)


@pytest.mark.parametrize(
    "lines",
    [
        [f'{_PSQL}ERROR:  relation "public.a" does not exist', f"{_PSQL}STATEMENT:  COPY public.a"],
        [f"{_PSQL}ERROR:  missing data for column", "CONTEXT:  COPY a, line 1"],
        [f'{_PSQL}ERROR:  type "v" does not exist', f"{_PSQL}STATEMENT:  CREATE TABLE a (b v);"],
        [f'{_PSQL}ERROR:  role "b" does not exist', f"{_PSQL}STATEMENT:  CREATE TABLE a ();"],
        [f"{_PSQL}error: invalid command \\foo"],
        ["pg_restore: error: could not read from input file: end of file"],
        ['pg_restore: error: COPY failed for table "a": ERROR:  invalid input'],
        [f"{_PSQL}FATAL:  terminating connection", "x"],
    ],
)
def test_every_other_error_ends_it(lines: list[str]) -> None:
    with pytest.raises(Failure, match=r"PostgreSQL refuses a\.sql"):
        _read(*lines)


def test_what_a_stranger_says_cannot_control_the_terminal() -> None:
    with pytest.raises(Failure) as caught:
        _read(f"{_PSQL}error: \x1b]0;evil\x07 {'x' * 9999}")
    assert "\x1b" not in caught.value.message and len(caught.value.message) < 400


def _psql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (tmp_path / "psql").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "psql").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def _feed(content: bytes) -> Any:
    errors = dump_errors.DumpErrors("a.sql")
    psql.load_sql(io.BytesIO(content), errors, "/nowhere", "any")
    return errors


# What psql does with the mark at the end, and nothing else of it.
_MARK = "tail -n 1 | sed 's/.warn //' >&2"


def test_a_psql_with_much_to_say_is_fed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _psql(tmp_path, monkeypatch, f"head -c 500000 /dev/zero >&2\necho >&2\n{_MARK}")
    _feed(_SQL.replace(b"1", b"1" * 500_000))


@pytest.mark.parametrize(
    ("script", "content", "reason"),
    [
        ("cat >/dev/null", _SQL, "psql ended before a.sql did"),  # \q, or a quote without its end
        ("exit 0", _SQL + _SQL * 50_000, "psql ended before a.sql did"),
        (f"{_MARK}; exit 2", _SQL, "psql ended before a.sql did"),
        (_MARK, _SQL[:50], "cut off"),
        ("echo 'psql:<stdin>:1: error: no' >&2; sleep 60", _SQL, "refuses a.sql: no"),
    ],
    ids=["quit", "not read", "lost", "cut", "refused"],
)
def test_a_dump_that_psql_has_not_executed_to_its_end_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, content: bytes, reason: str
) -> None:
    _psql(tmp_path, monkeypatch, script)
    with pytest.raises(Failure, match=reason):
        _feed(content)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (b"CREATE DATABASE a WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C';\n", True),
        (
            b"CREATE DATABASE a WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'xx_YY';\n",
            False,
        ),
        (
            b"CREATE DATABASE a WITH TEMPLATE = template0 ENCODING = 'UTF8'"
            b" LOCALE_PROVIDER = builtin LOCALE = 'C';\n",
            False,
        ),
    ],
    ids=["known", "unknown", "builtin"],
)
def test_a_locale_of_the_other_server_keeps_no_database_away(line: bytes, kept: bool) -> None:
    found = psql._with_a_locale_of_ours(line)
    start = b"CREATE DATABASE a WITH TEMPLATE = template0 ENCODING = 'UTF8'"
    assert found == (line if kept else start + b" LOCALE = 'C';\n")
