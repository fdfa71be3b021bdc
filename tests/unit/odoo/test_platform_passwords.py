"""odoo/bin/platform_passwords.py: a hash is verified when it is new, and not at each start."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT


@dataclass
class Crypt:
    """A scheme whose hash of a password is that, behind `hash:`."""

    verified: list[str] = field(default_factory=list)

    def identify(self, stored: str) -> bool:
        return stored.startswith("hash:")

    def verify(self, password: str, stored: str) -> bool:
        self.verified.append(stored)
        return stored == f"hash:{password}"

    def hash(self, password: str) -> str:
        return f"hash:{password}"


@dataclass
class Users:
    """The cursor of a database in which there is the user admin."""

    password: str

    def execute(self, _statement: str, values: tuple[str, int] | None = None) -> None:
        if values:
            self.password = values[0]

    def fetchall(self) -> list[tuple[int, str]]:
        return [(2, self.password)]


@dataclass
class Bootstrap:
    """What platform-bootstrap does of it at a start."""

    program: Any
    crypt: Crypt
    users: Users
    secret: Path

    def start(self) -> list[str]:
        """Returns the hashes that were verified."""
        self.crypt.verified.clear()
        verified = self.program.Verified()
        self.program.retire_default_login(self.users, "", verified)
        state, wanted = self.program.state_of(self.secret), self.secret.read_text()
        self.program.store_master_hash(wanted, state, verified)
        verified.save()
        return list(self.crypt.verified)

    def write_secret(self, text: str) -> None:
        self.secret.write_text(text)
        os.utime(self.secret, (0, 0))


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bootstrap:
    path = ROOT / "odoo" / "bin" / "platform_passwords.py"
    program: Any = ModuleType("platform_passwords")
    # Not by an import, which would leave a __pycache__ where the image is built from.
    exec(compile(path.read_text(), str(path), "exec"), program.__dict__)
    program.MASTER_HASH = tmp_path / ".platform" / "master_password_hash"
    program.VERIFIED = tmp_path / ".platform" / "verified"
    program.INITIAL_PASSWORD = tmp_path / "initial_admin_password"
    program.SETTLED_SECONDS = -time.time()  # as if each file had been written long ago
    crypt = Crypt()
    monkeypatch.setattr(program, "crypt", lambda: crypt)
    made = Bootstrap(program, crypt, Users("hash:secret"), tmp_path / "secret")
    made.write_secret("master")
    made.start()
    return made


def test_a_start_verifies_nothing_that_an_earlier_one_has(bootstrap: Bootstrap) -> None:
    assert bootstrap.program.MASTER_HASH.read_text() == "hash:master\n"
    assert bootstrap.start() == []
    assert bootstrap.start() == []


def test_another_hash_of_the_login_admin_is_verified(bootstrap: Bootstrap) -> None:
    bootstrap.users.password = "hash:another"
    assert bootstrap.start() == ["hash:another"]


def test_a_login_admin_that_came_back_with_its_known_password_gets_another(
    bootstrap: Bootstrap,
) -> None:
    for _ in range(2):
        bootstrap.users.password = "hash:admin"
        assert bootstrap.start() == ["hash:admin"]
        given = bootstrap.program.INITIAL_PASSWORD.read_text().strip()
        assert bootstrap.users.password == f"hash:{given}"
        assert bootstrap.start() == []


def test_another_master_password_of_the_same_length_is_hashed(bootstrap: Bootstrap) -> None:
    bootstrap.write_secret("retsam")
    assert bootstrap.start() == ["hash:master"]
    assert bootstrap.program.MASTER_HASH.read_text() == "hash:retsam\n"


def test_a_hash_of_the_master_password_from_elsewhere_is_verified(bootstrap: Bootstrap) -> None:
    bootstrap.program.MASTER_HASH.write_text("hash:elsewhere\n")
    assert bootstrap.start() == ["hash:elsewhere"]
    assert bootstrap.program.MASTER_HASH.read_text() == "hash:master\n"


def test_a_secret_that_was_written_a_moment_ago_is_verified_at_the_next_start_too(
    bootstrap: Bootstrap,
) -> None:
    bootstrap.program.SETTLED_SECONDS = 3600
    for _ in range(2):
        assert bootstrap.start() == ["hash:master"]


@pytest.mark.parametrize("left", [b"", b"\xff\xfe\n", None])
def test_without_what_earlier_starts_have_found_everything_is_verified(
    bootstrap: Bootstrap, left: bytes | None
) -> None:
    bootstrap.program.VERIFIED.unlink()
    if left is None:
        bootstrap.program.VERIFIED.mkdir()  # it can be neither read nor written
    else:
        bootstrap.program.VERIFIED.write_bytes(left)
    assert bootstrap.start() == ["hash:secret", "hash:master"]
    assert bootstrap.start() == ([] if left is not None else ["hash:secret", "hash:master"])
