"""Certificates as bytes: made and checked in memory; nothing here touches the disk."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from scripts.tls import hostnames

CA_LIFE: Final = timedelta(days=3650)
LEAF_LIFE: Final = timedelta(days=397) - timedelta(seconds=1)  # both ends count (RFC 5280)
RENEW_AT: Final = 1 / 3  # of its life left, as certbot and Let's Encrypt advise
_LOOPBACK: Final = ("127.0.0.0/8", "::1")
_CLOCK_SKEW: Final = timedelta(hours=1)  # a client's clock may be slow by this much


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM; the key never shows itself."""

    certificate: bytes
    key: bytes = field(repr=False)


def make_ca(now: datetime, names: Iterable[str] = ()) -> Pair:
    """A new private CA that may sign leaves only; its name is unlike any other's.

    With `names` it is good for these, what is below them, and this machine itself: who
    steals its key cannot pose as any other site to those who trust it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = _subject(f"ipai-platform private CA {serial:040x}"[:34])
    builder = (
        _builder(name, key.public_key(), now, CA_LIFE)
        .serial_number(serial)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    if permitted := _permitted(names):
        limits = x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)
        builder = builder.add_extension(limits, critical=True)
    return _pair(builder.sign(key, hashes.SHA256()), key)


def _permitted(names: Iterable[str]) -> list[x509.GeneralName]:
    given = list(names)
    if not given:
        return []
    domains = dict.fromkeys(n.removeprefix("*.") for n in given if not hostnames.address(n))
    others = [a for a in hostnames.addresses(given) if a not in hostnames.LOCAL_NAMES]
    networks = map(ipaddress.ip_network, [*_LOOPBACK, *others])
    return [*map(x509.DNSName, domains), *map(x509.IPAddress, networks)]


def outside(ca_certificate: bytes, names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that no client would accept of this CA; none of them where it has no limits.

    A certificate that cannot be read has none either: `ca_problem` tells of that.
    """
    try:
        ca = x509.load_pem_x509_certificate(ca_certificate)
        limits = ca.extensions.get_extension_for_class(x509.NameConstraints).value
    except (ValueError, x509.ExtensionNotFound):
        return ()
    permitted = [subtree.value for subtree in limits.permitted_subtrees or ()]
    return tuple(name for name in names if not any(_within(name, tree) for tree in permitted))


def _within(name: str, tree: object) -> bool:
    address = hostnames.address(name)
    if address or not isinstance(tree, str):
        networks = ipaddress.IPv4Network, ipaddress.IPv6Network
        return bool(address) and isinstance(tree, networks) and address in tree
    domain = name.removeprefix("*.")
    return domain == tree or domain.endswith(f".{tree}")


def make_leaf(ca: Pair, names: Iterable[str], now: datetime) -> Pair:
    """A new server certificate for `names`, signed by `ca`, which it does not outlive."""
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    signer = serialization.load_pem_private_key(ca.key, password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    life = min(LEAF_LIFE, issuer.not_valid_after_utc - now)
    authority = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(_subject("ipai-platform"), key.public_key(), now, life)
        .serial_number(x509.random_serial_number())
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName(map(_general, names)), critical=False)
    )
    return _pair(builder.sign(signer, hashes.SHA256()), key)


def names_of(certificate: bytes) -> tuple[str, ...]:
    """The domains and addresses of a PEM certificate; none if it cannot be read."""
    try:
        leaf = x509.load_pem_x509_certificate(certificate)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return ()
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def dates(certificate: bytes) -> tuple[datetime, datetime]:
    """The first and the last moment at which a PEM certificate is accepted."""
    parsed = x509.load_pem_x509_certificate(certificate)
    return parsed.not_valid_before_utc, parsed.not_valid_after_utc


def expiry(certificate: bytes) -> datetime:
    """The moment after which a PEM certificate is refused."""
    return dates(certificate)[1]


def leaf_problem(leaf: Pair, ca_certificate: bytes, names: Iterable[str], now: datetime) -> str:
    """Why `leaf` of a private CA should not be served for `names`; empty if nothing is wrong."""
    return (
        pair_problem(leaf)
        or date_problem(leaf.certificate, now)
        or name_problem(leaf.certificate, names)
        or chain_problem(leaf.certificate, ca_certificate, now)
    )


def issued_problem(pair: Pair, names: Iterable[str], now: datetime) -> str:
    """Why what an authority issued should not be served for `names`; empty if nothing is wrong.

    `pair` holds the leaf first, then those who issued it, without the root.
    """
    return (
        pair_problem(pair)
        or date_problem(pair.certificate, now)
        or name_problem(pair.certificate, names)
        or _issuer_problem(pair.certificate, now)
    )


def _issuer_problem(chain: bytes, now: datetime) -> str:
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError:
        return "the certificate of its issuer cannot be read"
    if len(certificates) < 2:
        return "the certificate of its issuer is missing"
    for certificate, issuer in pairwise(certificates):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError, TypeError):
            return "its chain is in disorder: one certificate was not signed by the next"
        if not issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc:
            return "the certificate of its issuer is not valid now"
    return ""


def pair_problem(pair: Pair) -> str:
    """Whether both halves can be read and belong together."""
    try:
        certified = x509.load_pem_x509_certificate(pair.certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "the certificate cannot be read"
    try:
        key = serialization.load_pem_private_key(pair.key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a passphrase
        return "the private key cannot be read"
    return "" if key.public_key() == certified else "the private key belongs to another certificate"


def ca_problem(ca: Pair) -> str:
    """Why `make_leaf` cannot sign with `ca`; empty if nothing is wrong."""
    problem = pair_problem(ca)
    if problem:
        return problem
    parsed = x509.load_pem_x509_certificate(ca.certificate)
    try:
        parsed.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        constraints = parsed.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, x509.ExtensionNotFound):
        return "the certificate is not one of a CA"
    usable = constraints.ca and isinstance(parsed.public_key(), ec.EllipticCurvePublicKey)
    return "" if usable else "the certificate is not one of a CA with an elliptic-curve key"


def date_problem(certificate: bytes, now: datetime) -> str:
    """Whether `certificate` is valid now and has more than a third of its life left."""
    parsed = x509.load_pem_x509_certificate(certificate)
    start, end = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    if now < start:
        return f"it is not valid before {start:%Y-%m-%d %H:%M} UTC"
    if end < now:
        return f"it expired on {end:%Y-%m-%d}"
    if end - now <= (end - start) * RENEW_AT:
        return f"it expires on {end:%Y-%m-%d %H:%M} UTC"
    return ""


def name_problem(certificate: bytes, names: Iterable[str]) -> str:
    """Whether `certificate` is for exactly `names`."""
    wanted, present = set(names), set(names_of(certificate))
    changes = [f"without {name}" for name in sorted(wanted - present)]
    changes += [f"still for {name}" for name in sorted(present - wanted)]
    return f"it is {', '.join(changes)}" if changes else ""


def not_covered(certificate: bytes, names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` for which a browser would refuse `certificate`."""
    present = set(names_of(certificate))
    return tuple(n for n in names if not present & {n, f"*.{n.partition('.')[2]}"})


def chain_problem(certificate: bytes, ca_certificate: bytes, now: datetime) -> str:
    """Whether a client that trusts only the CA would accept `certificate` for localhost."""
    leaf = x509.load_pem_x509_certificate(certificate)
    try:
        ca = x509.load_pem_x509_certificate(ca_certificate)
    except ValueError:
        return "the CA's certificate is missing or cannot be read"
    try:
        leaf.verify_directly_issued_by(ca)  # the verifier also accepts a leaf as its own anchor
        verifier = PolicyBuilder().store(Store([ca])).time(now)
        verifier.build_server_verifier(x509.DNSName("localhost")).verify(leaf, [])
    except InvalidSignature:
        return "it was not signed by the CA"
    except (ValueError, TypeError, VerificationError) as error:
        return f"it does not verify against the CA ({error})"
    return ""


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    start = now.replace(microsecond=0) - _CLOCK_SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .not_valid_before(start)
        .not_valid_after(start + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    address = hostnames.address(name)
    return x509.IPAddress(address) if address else x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(certificate.public_bytes(pem), private)
