"""Feeding an SQL dump to psql, with nothing of it lost on the way."""

import io
import locale
import re
import secrets
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any, cast

from toolbox.backup import archives
from toolbox.backup.dump_errors import DumpErrors
from toolbox.core.errors import Failure

USER = "postgres"  # of the system and of the database
_COPY = re.compile(rb"COPY .* FROM stdin;\r?\n")
_COPIED = (b"\\.\n", b"\\.\r\n")
_DATABASE = re.compile(
    rb"(CREATE DATABASE .+ WITH TEMPLATE = template0 ENCODING = '\w+')(.*);\r?\n"
)
_LOCALE = re.compile(r"'([^']*)'")
_COMMANDS = re.compile(rb"^\\(restrict|connect) |database cluster dump", re.MULTILINE)
_CHUNK, _TAIL = 1 << 20, 512


def as_user(name: str) -> dict[str, Any]:
    """Arguments of subprocess for a program without any right of ours."""
    return {"user": name, "group": name if name == USER else "nogroup", "extra_groups": []}


def load_sql(
    stream: IO[bytes], errors: DumpErrors, host: str, database: str, **process_options: Any
) -> None:
    """Have psql execute `stream`; raises Failure unless it did so to the end of a whole dump."""
    feed = _Feed(stream)
    process = subprocess.Popen(
        [
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--echo-errors",
            "--no-password",
            f"--host={host}",
            f"--username={USER}",
            f"--dbname={database}",
            "--file=-",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **process_options,
    )
    assert process.stdin and process.stderr
    pouring = threading.Thread(target=feed.pour, args=(process.stdin,), daemon=True)
    pouring.start()
    try:
        errors.read(feed.without_mark(process.stderr))
    except BaseException as error:
        process.kill()
        pouring.join()
        if feed.error and isinstance(error, Failure):  # what psql says is a consequence
            raise feed.error from error
        raise
    process.wait()
    pouring.join()
    if feed.error:
        raise feed.error
    archives.require_complete(feed.tail, errors.name)
    if not feed.marked or process.returncode:
        raise Failure(f"psql ended before {errors.name} did. {errors.said}".strip())


class _Feed:
    """What psql is given: a dump, and a mark behind it that shows that psql has read it all."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = io.BufferedReader(cast(io.RawIOBase, stream), _CHUNK)
        self._mark = secrets.token_hex(16)
        self.tail = b""
        self.marked = False  # no \q, no open quote and no \if has kept psql from the end
        self.error: BaseException | None = None

    def pour(self, sink: IO[bytes]) -> None:
        """Write everything into `sink`; that psql gives up is no error here."""
        try:
            for portion in self._portions():
                sink.write(portion)
        except BrokenPipeError:
            return
        except BaseException as error:
            self.error = error
        finally:
            self._stream.detach()  # its opener closes it
            with suppress(BrokenPipeError):
                sink.close()

    def without_mark(self, errors: IO[bytes]) -> Iterator[str]:
        """The lines that psql says, but for the mark."""
        for line in errors:
            text = line.decode(errors="replace")
            if text.strip() == self._mark:
                self.marked = True
            else:
                yield text

    def _portions(self) -> Iterator[bytes]:
        # psql's restricted mode takes no \connect; newer dumps enter and leave it themselves.
        restricted = not _COMMANDS.search(self._stream.peek(_CHUNK))
        key = secrets.token_hex(16).encode()
        if restricted:
            yield b"\\restrict %s\n" % key
        copying = False
        for portion, begins in self._lines():
            self.tail = (self.tail + portion)[-_TAIL:]
            if copying:
                copying = not (begins and portion in _COPIED)
            elif begins:
                copying = bool(_COPY.fullmatch(portion))
                portion = _with_a_locale_of_ours(portion)
            yield portion
        if restricted:
            yield b"\n\\unrestrict %s\n" % key
        yield b"\n\\warn %s\n" % self._mark.encode()

    def _lines(self) -> Iterator[tuple[bytes, bool]]:
        """Portions of at most a megabyte, and whether a line begins there."""
        begins = True
        while portion := self._stream.readline(_CHUNK):
            yield portion, begins
            begins = portion.endswith(b"\n")


def _with_a_locale_of_ours(line: bytes) -> bytes:
    """CREATE DATABASE as this server can do it, where the other has locales that this has not."""
    found = _DATABASE.fullmatch(line)
    if not found or _known(found[2].decode(errors="replace")):
        return line
    return found[1] + b" LOCALE = 'C';\n"


def _known(options: str) -> bool:
    here = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in _LOCALE.findall(options):
            locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_CTYPE, here)
    return "builtin" not in options
