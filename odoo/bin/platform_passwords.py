"""The passwords that platform-bootstrap looks after: admin's, and the hashed master password.

Works on Odoo 18 and 19. Edit by hand freely; afterwards run `inv images` and `inv up`.
"""

import hashlib
import os
import secrets
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path("/var/lib/odoo")
MASTER_HASH = DATA / ".platform" / "master_password_hash"
VERIFIED = MASTER_HASH.with_name("verified")
INITIAL_PASSWORD = DATA / "initial_admin_password"
SETTLED_SECONDS = 2  # what is written to a file after that gives it another time of change


def say(text: str) -> None:
    print(f"platform-bootstrap: {text}", flush=True)


@cache
def crypt() -> Any:
    """The scheme and rounds of Odoo's own res.users; admin_passwd takes it as well."""
    # Not at the top: a start that has nothing to verify does without.
    from passlib.context import CryptContext

    return CryptContext(["pbkdf2_sha512"], pbkdf2_sha512__rounds=600_000)


class Verified:
    """What earlier starts have found to be true of a stored hash: to find out takes half a second.

    Each finding is named by a digest of the whole hash and of what else it depends on, so that it
    is unknown of any other hash, and tells nothing of a password. It is kept beside the hash of
    the master password and not in the database: a restored dump must not bring its own.
    """

    def __init__(self) -> None:
        self.known: set[str] = set()
        with suppress(OSError):
            self.known.update(VERIFIED.read_text(errors="replace").split())
        self.found: set[str] = set()

    def holds(self, *facts: str) -> bool:
        """Whether that was found before; it is then kept for the next start as well."""
        known = self._name(facts) in self.known
        if known:
            self.add(*facts)
        return known

    def add(self, *facts: str) -> None:
        self.found.add(self._name(facts))

    def save(self) -> None:
        """Where that fails, the next start finds it out again."""
        if self.found != self.known:
            with suppress(OSError):
                write_private(VERIFIED, "".join(f"{name}\n" for name in sorted(self.found)))

    @staticmethod
    def _name(facts: tuple[str, ...]) -> str:
        return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def write_private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def state_of(path: Path) -> str:
    """What differs after each change of the file; '' for one that was changed a moment ago.

    A digest of its content would do as well, and would help to guess the password.
    """
    state = path.stat() if path.is_file() else None
    if not state or time.time() - max(state.st_mtime, state.st_ctime) < SETTLED_SECONDS:
        return ""
    return f"{state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def retire_default_login(own: Any, wanted: str, verified: Verified) -> None:
    """Replace the password `admin` of the login `admin`, wherever it still stands."""
    own.execute("SELECT id, password FROM res_users WHERE login = 'admin'")
    for user, stored in own.fetchall():
        if not stored or verified.holds("not admin", stored):
            continue
        if not crypt().identify(stored) or not crypt().verify("admin", stored):
            verified.add("not admin", stored)
            continue
        password = wanted or secrets.token_urlsafe(24)
        if not wanted:
            write_private(INITIAL_PASSWORD, password + "\n")
        hashed = crypt().hash(password)
        own.execute("UPDATE res_users SET password = %s WHERE id = %s", (hashed, user))
        verified.add("not admin", hashed)
        place = f"{INITIAL_PASSWORD} in this volume"
        if wanted:
            place = "secrets/odoo_admin_password.txt"
        say(f"the password of the login 'admin' is now the one in {place}")


def store_master_hash(wanted: str, state: str, verified: Verified) -> None:
    """Keep the hash of `wanted`; `state` is that of the file from which it was read."""
    stored = MASTER_HASH.read_text().strip() if MASTER_HASH.is_file() else ""
    if not wanted:
        MASTER_HASH.unlink(missing_ok=True)
        return
    if not state or not verified.holds("master", stored, state):
        if not stored or not crypt().verify(wanted, stored):
            stored = crypt().hash(wanted)
            write_private(MASTER_HASH, stored + "\n")
        if state:
            verified.add("master", stored, state)
