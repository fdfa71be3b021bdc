"""Certificates of a private CA of our own, on disk: kept while good, else made anew."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import exclusive, make_private_folder, write_atomic
from scripts.tls import certificates
from scripts.tls.certificates import Pair

_PRIVATE: Final = 0o600
_PUBLIC: Final = 0o644


class Done(StrEnum):
    """What became of a certificate."""

    KEPT = "kept"
    CREATED = "created"
    REPLACED = "replaced"


@dataclass(frozen=True)
class Paths:
    """Where everything is; the CA's folder is no business of Nginx."""

    folder: Path
    ca_folder: Path

    @property
    def ca(self) -> Path:
        """What clients have to trust."""
        return self.ca_folder / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """Whoever has this can pose as any site to those who trust the CA."""
        return self.ca_folder / "ca-key.pem"

    @property
    def certificate(self) -> Path:
        """The leaf alone: the CA signs it directly, and clients have the CA."""
        return self.folder / "selfsigned" / "fullchain.pem"

    @property
    def key(self) -> Path:
        """The private key of the leaf."""
        return self.folder / "selfsigned" / "privkey.pem"


@dataclass(frozen=True)
class Outcome:
    """What a run did and why, and what is on disk now."""

    paths: Paths
    names: tuple[str, ...]
    expires: datetime
    leaf: Done
    ca: Done
    reason: str = ""  # for a new leaf


def check_mode(mode: str) -> None:
    """Raises unless `mode` is the one kind of certificate that can be made."""
    if mode == "letsencrypt":
        raise OpsError(
            "this version makes self-signed certificates only, none from Let's Encrypt",
            "Get one with certbot by hand, where port 80 is free and reachable from outside: "
            "certbot certonly --standalone -d YOUR.DOMAIN",
        )
    if mode != "selfsigned":
        raise UsageError(f"{mode!r} is no kind of certificate", "Use: inv setup-tls selfsigned")


def ensure(
    folder: Path,
    given: Iterable[str] = (),
    *,
    ca_folder: Path | None = None,
    force: bool = False,
    now: datetime | None = None,
) -> Outcome:
    """Have a good certificate for the `given` names below `folder`.

    The CA is in `ca_folder`, by default `folder/ca`; where Nginx sees `folder`,
    it belongs elsewhere. Without names those of the present certificate stay. A good certificate is
    kept unless `force`; the CA is kept as long as it outlives a new leaf.
    Everything is made and checked in memory first; raises OpsError otherwise.
    """
    asked = [name for name in given if name.strip()]
    certificates.parse_names(asked)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / ".lock", "setup-tls"):
            paths = Paths(folder, ca_folder or folder / "ca")
            return _ensure(paths, asked, force, now or datetime.now(UTC))
    except OSError as error:
        raise OpsError(
            f"cannot use {error.filename}: {error.strerror}",
            "Mend its owner or permissions, or remove it, and run this again.",
        ) from error


def _ensure(paths: Paths, asked: list[str], force: bool, now: datetime) -> Outcome:
    leaf = Pair(_read(paths.certificate), _read(paths.key))
    ca = Pair(_read(paths.ca), _read(paths.ca_key))
    names = certificates.parse_names(asked or certificates.names_of(leaf.certificate))
    reason = "--force was given" if force else ""
    reason = reason or certificates.leaf_problem(leaf, ca.certificate, names, now)
    if not reason:
        _narrow(paths)
        return Outcome(paths, names, certificates.expiry(leaf.certificate), Done.KEPT, Done.KEPT)
    done, reason = (Done.REPLACED, reason) if leaf.certificate else (Done.CREATED, "")
    signer, ca_done = _signer(paths, ca, now)
    made = certificates.make_leaf(signer, names, now)
    problem = certificates.leaf_problem(made, signer.certificate, names, now)
    if problem:
        raise OpsError(f"the new certificate is unusable, so nothing was written: {problem}")
    _write(paths, signer if ca_done is not Done.KEPT else None, made)
    return Outcome(paths, names, certificates.expiry(made.certificate), done, ca_done, reason)


def _signer(paths: Paths, ca: Pair, now: datetime) -> tuple[Pair, Done]:
    if not ca.certificate:
        return certificates.make_ca(now), Done.CREATED
    problem = certificates.ca_problem(ca)
    if problem:
        raise OpsError(
            f"cannot sign with the CA in {paths.ca.parent}: {problem}",
            "Restore that folder from a backup, or move it away and run this again; "
            "everybody who trusted the old CA then has to trust the new one.",
        )
    if certificates.expiry(ca.certificate) < now + certificates.LEAF_LIFE:
        return certificates.make_ca(now), Done.REPLACED
    return ca, Done.KEPT


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _write(paths: Paths, new_ca: Pair | None, leaf: Pair) -> None:
    make_private_folder(paths.ca.parent)
    paths.key.parent.mkdir(mode=0o755, exist_ok=True)
    if new_ca:
        write_atomic(paths.ca_key, new_ca.key, _PRIVATE)
        write_atomic(paths.ca, new_ca.certificate, _PUBLIC)
    write_atomic(paths.key, leaf.key, _PRIVATE)
    write_atomic(paths.certificate, leaf.certificate, _PUBLIC)
    _narrow(paths)


def _narrow(paths: Paths) -> None:
    make_private_folder(paths.ca.parent)
    for path in (paths.ca_key, paths.key):
        if path.exists():  # the CA's key may be kept elsewhere until it is needed
            path.chmod(_PRIVATE)
    for path in (paths.ca, paths.certificate):
        path.chmod(_PUBLIC)


def report(outcome: Outcome) -> list[str]:
    """The outcome for people, and how to trust the CA."""
    paths = outcome.paths
    ca = shlex.quote(str(paths.ca))
    why = f" ({outcome.reason})" if outcome.reason else ""
    lines = [
        f"Certificate: {paths.certificate}: {outcome.leaf}{why}",
        f"Private key: {paths.key}",
        f"Names:       {', '.join(outcome.names)}",
        f"Expires:     {outcome.expires:%Y-%m-%d}",
        f"Private CA:  {paths.ca}: {outcome.ca}",
    ]
    if outcome.ca is Done.REPLACED:
        lines.append("The old CA was near its end: trust the new one wherever the old was trusted.")
    return [
        *lines,
        "",
        f"Browsers warn until they trust the CA. Copy only ca.pem, never {paths.ca_key.name}:",
        f"  Debian:  sudo cp {ca} /usr/local/share/ca-certificates/ipai-platform.crt"
        " && sudo update-ca-certificates",
        "  macOS:   sudo security add-trusted-cert -d -r trustRoot"
        f" -k /Library/Keychains/System.keychain {ca}",
        "  Firefox: Settings > Privacy & Security > View Certificates > Authorities > Import,"
        " and tick “Trust this CA to identify websites”",
    ]
