"""Has this machine trust the private CA: its own store, and those of its browsers."""

import hashlib
import os
import pwd
import re
import shlex
import shutil
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.files import write_atomic
from scripts.core.process import Runner
from scripts.core.report import Reporter

_STORE_TIMEOUT: Final = 120.0
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_MAC_KEYCHAIN: Final = "/Library/Keychains/System.keychain"
_FIREFOX: Final = (
    "Firefox: Settings > Privacy & Security > View Certificates > Authorities > Import,"
    " and tick “Trust this CA to identify websites”"
)
# Below a home: one folder for Chromium, one for each profile of Firefox. On macOS both
# ask the keychain.
_DATABASES: Final = (
    ".pki/nssdb/cert9.db",
    ".mozilla/firefox/*/cert9.db",
    "snap/firefox/common/.mozilla/firefox/*/cert9.db",
)


@dataclass(frozen=True)
class Store:
    """A folder of certificates to trust, and what has to run when it has changed."""

    folder: Path
    after_adding: tuple[str, ...]
    after_removing: tuple[str, ...]


_STORES: Final = (
    Store(  # Debian, Ubuntu; only --fresh takes away what has gone
        Path("/usr/local/share/ca-certificates"),
        ("update-ca-certificates",),
        ("update-ca-certificates", "--fresh"),
    ),
    Store(  # Fedora and its kin
        Path("/etc/pki/ca-trust/source/anchors"), ("update-ca-trust",), ("update-ca-trust",)
    ),
)


def _person() -> pwd.struct_passwd:
    """The user who logged in: `sudo` makes root of the present one, not of their browsers."""
    try:
        return pwd.getpwuid(int(Path("/proc/self/loginuid").read_text()))
    except (OSError, ValueError, KeyError):  # macOS; a container, where nobody logged in
        return pwd.getpwuid(os.geteuid())


@dataclass(frozen=True)
class Machine:
    """What is here to be told; by default, the machine we run on."""

    stores: tuple[Store, ...] = field(
        default_factory=lambda: tuple(s for s in _STORES if shutil.which(s.after_adding[0]))
    )
    mac: bool = sys.platform == "darwin"
    root: bool = field(default_factory=lambda: os.geteuid() == 0)
    certutil: bool = field(default_factory=lambda: shutil.which("certutil") is not None)
    person: pwd.struct_passwd = field(default_factory=_person)

    def databases(self) -> list[Path]:
        """The folders with a certificate database of Firefox or Chromium."""
        home = Path(self.person.pw_dir)
        return [path.parent for below in _DATABASES for path in sorted(home.glob(below))]

    def certutil_argv(self, action: str, database: Path, name: str) -> list[str]:
        """Runs as the person: files of root in their profile would lock them out."""
        argv = ["certutil", action, "-d", f"sql:{database}", "-n", name]
        if self.person.pw_uid == os.geteuid():
            return argv
        return ["runuser", "-u", self.person.pw_name, "--", *argv]


@dataclass(frozen=True)
class _Authority:
    """The certificate alone, read from a file that may hold more."""

    path: Path
    der: bytes

    @classmethod
    def read(cls, path: Path) -> "_Authority":
        try:
            text = path.read_text()
            found = re.findall(f"{_BEGIN}.*?{_END}", text, re.DOTALL)
            if len(found) != 1:
                raise OpsError(f"{path} has {len(found)} certificates, not one")
            return cls(path, ssl.PEM_cert_to_DER_cert(found[0]))
        except FileNotFoundError:
            raise OpsError(
                f"there is no CA at {path}", "Make one: inv setup-tls selfsigned"
            ) from None
        except (OSError, ValueError) as error:
            raise OpsError(f"cannot read {path}: {error}") from error

    @property
    def name(self) -> str:
        return f"ipai-platform-{hashlib.sha256(self.der).hexdigest()[:8]}"

    @property
    def pem(self) -> str:
        return ssl.DER_cert_to_PEM_cert(self.der)

    @property
    def sha1(self) -> str:
        # What macOS names certificates by; nothing rests on its strength.
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()


def trust(
    ca: Path, runner: Runner, reporter: Reporter, *, machine: Machine | None = None
) -> list[str]:
    """Have this machine trust the CA certificate `ca`, after asking.

    Returns what was done, a line each; doing it twice does no harm. Raises
    OpsError if the person refuses (nothing was changed then), if root is
    needed, or if this kind of machine is unknown.
    """
    machine = machine or Machine()
    authority = _Authority.read(ca)
    _check(machine, authority)
    question = f"Have this machine trust every site that {ca} vouches for?"
    if not reporter.confirm(question, unattended=False):
        raise OpsError("the CA is not trusted: nothing was changed", "Answer y, or give --yes.")
    done = [_add_to_store(store, authority, runner) for store in machine.stores]
    if machine.mac:
        runner.run(["security", *_mac_add(ca)], timeout=_STORE_TIMEOUT, changes=True)
        done.append(f"trusted by this machine: {_MAC_KEYCHAIN}")
    return [*done, *_add_to_browsers(machine, authority, runner)]


def untrust(ca: Path, runner: Runner, *, machine: Machine | None = None) -> list[str]:
    """Take away what `trust` has added for `ca`; returns what was done, a line each.

    Raises OpsError where root is needed or this kind of machine is unknown.
    """
    machine = machine or Machine()
    authority = _Authority.read(ca)
    _check(machine, authority)
    done = [line for store in machine.stores for line in _drop(store, authority, runner)]
    if machine.mac and _mac_has(authority, runner):
        for command in (
            ["security", "remove-trusted-cert", "-d", str(ca)],
            ["security", "delete-certificate", "-Z", authority.sha1, _MAC_KEYCHAIN],
        ):
            runner.run(command, timeout=_STORE_TIMEOUT, changes=True)
        done.append(f"removed from {_MAC_KEYCHAIN}")
    done += _drop_from_browsers(machine, authority, runner)
    return done or ["this machine did not trust the CA"]


def by_hand(ca: Path) -> list[str]:
    """How a person has any machine trust the CA certificate `ca`."""
    quoted = shlex.quote(str(ca))
    return [
        "Browsers warn until they trust the CA. Copy only the certificate, never its key:",
        f"  Debian:  sudo cp {quoted} /usr/local/share/ca-certificates/ipai-platform.crt"
        " && sudo update-ca-certificates",
        f"  Fedora:  sudo cp {quoted} /etc/pki/ca-trust/source/anchors/ipai-platform.crt"
        " && sudo update-ca-trust",
        f"  macOS:   sudo security {shlex.join(_mac_add(ca))}",
        f"  {_FIREFOX}",
    ]


def _check(machine: Machine, authority: _Authority) -> None:
    if not machine.stores and not machine.mac:
        raise OpsError(
            "cannot tell where this machine keeps the certificates it trusts",
            "Debian has the package ca-certificates for that. By hand:\n"
            + "\n".join(by_hand(authority.path)),
        )
    if not machine.root:
        raise OpsError(
            "only root can change which certificates this machine trusts",
            "Run the same command with sudo in front: sudo ./scripts/inv …",
        )


def _add_to_store(store: Store, authority: _Authority, runner: Runner) -> str:
    path = store.folder / f"{authority.name}.crt"
    if not runner.dry:
        write_atomic(path, authority.pem.encode())
    runner.run(store.after_adding, timeout=_STORE_TIMEOUT, changes=True)
    return f"trusted by this machine: {path}"


def _drop(store: Store, authority: _Authority, runner: Runner) -> Iterator[str]:
    path = store.folder / f"{authority.name}.crt"
    if path.exists():
        if not runner.dry:
            path.unlink()
        runner.run(store.after_removing, timeout=_STORE_TIMEOUT, changes=True)
        yield f"removed: {path}"


def _mac_add(ca: Path) -> list[str]:
    return ["add-trusted-cert", "-d", "-r", "trustRoot", "-k", _MAC_KEYCHAIN, str(ca)]


def _mac_has(authority: _Authority, runner: Runner) -> bool:
    listing = ["security", "find-certificate", "-a", "-Z", _MAC_KEYCHAIN]
    return authority.sha1 in runner.run(listing, timeout=_STORE_TIMEOUT, check=False).stdout


# --- databases of browsers ---


def _add_to_browsers(machine: Machine, authority: _Authority, runner: Runner) -> list[str]:
    if not machine.certutil:
        return [f"{_FIREFOX}. (With the Debian package libnss3-tools this is done for you.)"]
    lines = []
    for database in machine.databases():
        argv = [*machine.certutil_argv("-A", database, authority.name), "-t", "C,,", "-a"]
        # By stdin: the person may not enter the CA's folder.
        done = _change(argv, runner, authority.pem)
        failed = f"not trusted by the browser with {database}: {done.last_line}. {_FIREFOX}"
        lines.append(f"trusted by the browser with {database}" if done.ok else failed)
    return lines


def _drop_from_browsers(machine: Machine, authority: _Authority, runner: Runner) -> Iterator[str]:
    for database in machine.databases() if machine.certutil else ():
        known = machine.certutil_argv("-L", database, authority.name)
        if runner.run(known, timeout=_STORE_TIMEOUT, check=False).ok:
            done = _change(machine.certutil_argv("-D", database, authority.name), runner)
            failed = f"still trusted by the browser with {database}: {done.last_line}"
            yield f"removed from the browser with {database}" if done.ok else failed


def _change(argv: list[str], runner: Runner, stdin: str = "") -> Completed:
    # A profile may be locked by a password; the others and the system are done all the same.
    return runner.run(argv, stdin=stdin, timeout=_STORE_TIMEOUT, check=False, changes=True)
