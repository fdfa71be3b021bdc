"""Certificates of a private CA of our own: kept while good, else made again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError
from scripts.core.files import make_private_folder, write_atomic
from scripts.tls import certificates
from scripts.tls.certificates import Pair

_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644


class CertificateAction(StrEnum):
    """What became of a certificate."""

    KEPT = "kept"
    CREATED = "created"
    REPLACED = "replaced"


@dataclass(frozen=True)
class Authority:
    """The folder of the private CA, which is no business of Nginx."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """What clients have to trust."""
        return self.folder / "ca.pem"

    @property
    def key(self) -> Path:
        """Whoever has this can pose as any site to those who trust the CA."""
        return self.folder / "ca-key.pem"

    def read(self) -> Pair:
        """Both halves; b'' where a file is missing."""
        return Pair(_read(self.certificate), _read(self.key))

    def write(self, pair: Pair) -> None:
        """Keep a new CA, and the former one under another name."""
        make_private_folder(self.folder)
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        for path in (self.key, self.certificate):
            if path.exists():
                path.rename(path.with_name(f"former-{stamp}-{path.name}"))
        write_atomic(self.key, pair.key, _PRIVATE)
        write_atomic(self.certificate, pair.certificate, _PUBLIC)

    def narrow(self) -> None:
        """Take away rights that a copy or a backup may have added."""
        make_private_folder(self.folder)
        if self.key.exists():  # it may be kept elsewhere until it is needed
            self.key.chmod(_PRIVATE)


@dataclass(frozen=True)
class Issued:
    """A good leaf for `names`, and whether it is the one that was there."""

    pair: Pair
    leaf: CertificateAction
    ca: CertificateAction
    reason: str = ""  # for a new leaf


def issue(
    authority: Authority,
    present: Pair | None,
    names: Iterable[str],
    now: datetime,
    *,
    force: bool = False,
    renewing: bool = False,
) -> Issued:
    """`present`, or a new leaf for exactly `names` where that is not good enough.

    The CA is kept as long as it outlives a new leaf and may sign for these names.
    `renewing`, which nobody watches, never makes another: everybody would have to trust it.
    Everything is made and checked in memory first; raises OpsError before anything is written.
    """
    leaf = present or Pair(b"", b"")
    ca = authority.read()
    names = tuple(names)
    reason = "--force was given" if force else ""
    reason = reason or certificates.leaf_problem(leaf, ca.certificate, names, now)
    if not reason:
        authority.narrow()
        return Issued(leaf, CertificateAction.KEPT, CertificateAction.KEPT)
    signer, ca_done = _signer(authority, ca, names, now, renewing)
    made = certificates.make_leaf(signer, names, now)
    problem = certificates.leaf_problem(made, signer.certificate, names, now)
    if problem:
        raise OpsError(f"the new certificate is unusable, so nothing was written: {problem}")
    if ca_done is not CertificateAction.KEPT:
        authority.write(signer)
    authority.narrow()
    if not present:
        return Issued(made, CertificateAction.CREATED, ca_done)
    return Issued(made, CertificateAction.REPLACED, ca_done, reason)


def _signer(
    authority: Authority, ca: Pair, names: tuple[str, ...], now: datetime, renewing: bool
) -> tuple[Pair, CertificateAction]:
    if not ca.certificate and not ca.key and not renewing:
        return certificates.make_ca(now, names), CertificateAction.CREATED
    problem = certificates.ca_problem(ca)
    if problem:
        raise OpsError(
            f"cannot sign with the CA in {authority.folder}: {problem}",
            "Restore that folder from a backup, or move it away and run: inv setup-tls selfsigned; "
            "everybody who trusted the old CA then has to trust the new one.",
        )
    outside = certificates.outside(ca.certificate, names)
    if outside and renewing:
        raise OpsError(
            f"the private CA is not good for {', '.join(outside)}",
            "Make another, which everybody then has to trust: inv setup-tls selfsigned",
        )
    left = certificates.expiry(ca.certificate) - now
    if outside or (left < certificates.LEAF_LIFE and not renewing):
        return certificates.make_ca(now, names), CertificateAction.REPLACED
    return ca, CertificateAction.KEPT


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise OpsError(
            f"cannot use {path}: {error.strerror}",
            "Correct its owner or permissions, or remove it, and run this again.",
        ) from error
