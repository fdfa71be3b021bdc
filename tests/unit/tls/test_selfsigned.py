"""The private CA and its leaves."""

import ipaddress
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from scripts.core.errors import OpsError
from scripts.tls import certificates, hostnames, selfsigned
from scripts.tls.certificates import Pair
from scripts.tls.selfsigned import Authority, CertificateAction, Issued
from tests.unit.support.pki import DOMAIN, NOW

_NONE = timedelta(0)


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "state" / "tls-ca")


def _issue(
    ca: Authority,
    *names: str,
    present: Pair | None = None,
    force: bool = False,
    after: timedelta = _NONE,
) -> Issued:
    wanted = hostnames.parse_names(names or (DOMAIN,))
    return selfsigned.issue(ca, present, wanted, NOW + after, force=force)


def _contents(ca: Authority) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in ca.folder.iterdir()}


def _verify(ca: Authority, issued: Issued, name: str = DOMAIN, after: timedelta = _NONE) -> None:
    store = Store([x509.load_pem_x509_certificate(ca.certificate.read_bytes())])
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    verifier = PolicyBuilder().store(store).time(NOW + after).build_server_verifier(subject)
    verifier.verify(x509.load_pem_x509_certificate(issued.pair.certificate), [])


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_client_that_trusts_the_ca_accepts_every_name_and_no_other(ca: Authority) -> None:
    issued = _issue(ca, "Odoo.Example.com", "*.shop.example.com", "192.0.2.7", "2001:DB8:0::7")
    served = [DOMAIN, "a.shop.example.com", "192.0.2.7", "2001:db8::7"]
    for name in [*served, "localhost", "127.0.0.1", "::1"]:
        _verify(ca, issued, name)
    for name in ("example.com", "other.example.com", "192.0.2.8"):
        with pytest.raises(VerificationError):
            _verify(ca, issued, name)


def test_a_client_that_trusts_another_ca_refuses_the_leaf(ca: Authority, tmp_path: Path) -> None:
    issued = _issue(ca)
    other = Authority(tmp_path / "other")
    _issue(other)
    with pytest.raises(VerificationError):
        _verify(other, issued)


def test_the_leaf_is_ecdsa_p256_and_lives_at_most_397_days(ca: Authority) -> None:
    leaf = x509.load_pem_x509_certificate(_issue(ca).pair.certificate)
    public = leaf.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert isinstance(public.curve, ec.SECP256R1)
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert timedelta(days=390) < life < timedelta(days=397)


def test_the_ca_lives_ten_years_and_cannot_make_further_cas(ca: Authority) -> None:
    _issue(ca)
    parsed = x509.load_pem_x509_certificate(ca.certificate.read_bytes())
    assert (parsed.not_valid_after_utc - parsed.not_valid_before_utc).days == 3650
    constraints = parsed.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)


def test_the_key_of_the_ca_is_for_its_owner_alone_whatever_the_umask(ca: Authority) -> None:
    before = os.umask(0)
    try:
        _issue(ca)
    finally:
        os.umask(before)
    assert (_mode(ca.folder), _mode(ca.key), _mode(ca.certificate)) == (0o700, 0o600, 0o644)
    assert b"PRIVATE" not in ca.certificate.read_bytes()


def test_a_good_leaf_is_kept_with_its_ca_and_rights_are_narrowed(ca: Authority) -> None:
    first = _issue(ca)
    assert (first.leaf, first.ca, first.reason) == (
        CertificateAction.CREATED,
        CertificateAction.CREATED,
        "",
    )
    before = _contents(ca)
    ca.key.chmod(0o644)
    ca.folder.chmod(0o755)
    second = _issue(ca, present=first.pair, after=timedelta(days=260))
    assert second == Issued(first.pair, CertificateAction.KEPT, CertificateAction.KEPT)
    assert _contents(ca) == before
    assert (_mode(ca.folder), _mode(ca.key)) == (0o700, 0o600)


def test_force_changes_the_leaf_and_its_key_but_keeps_the_ca(ca: Authority) -> None:
    first = _issue(ca)
    before = _contents(ca)
    second = _issue(ca, present=first.pair, force=True)
    assert (second.leaf, second.ca) == (CertificateAction.REPLACED, CertificateAction.KEPT)
    assert second.reason == "--force was given"
    assert second.pair.key != first.pair.key
    assert _contents(ca) == before
    _verify(ca, second)


@pytest.mark.parametrize(
    ("names", "made"),
    [
        (("new.example.com",), CertificateAction.REPLACED),
        ((DOMAIN, "192.0.2.7"), CertificateAction.REPLACED),
        ((f"new.{DOMAIN}",), CertificateAction.KEPT),
        ((DOMAIN, "127.0.0.2"), CertificateAction.KEPT),
        (("localhost",), CertificateAction.KEPT),
    ],
)
def test_other_names_renew_the_leaf_and_the_ca_where_it_is_not_good_for_them(
    ca: Authority, names: tuple[str, ...], made: CertificateAction
) -> None:
    first = _issue(ca)
    second = _issue(ca, *names, present=first.pair)
    assert (second.leaf, second.ca) == (CertificateAction.REPLACED, made)
    assert second.reason.startswith("it is ")
    _verify(ca, second, names[-1])
    present = certificates.names_of(second.pair.certificate)
    assert sorted(present) == sorted(hostnames.parse_names(names))


@pytest.mark.parametrize(("days", "word"), [(265, "it expires on 2031-06-18"), (400, "expired on")])
def test_a_leaf_near_or_past_its_end_is_renewed(ca: Authority, days: int, word: str) -> None:
    first = _issue(ca)
    later = timedelta(days=days)
    second = _issue(ca, present=first.pair, after=later)
    assert (second.leaf, second.ca) == (CertificateAction.REPLACED, CertificateAction.KEPT)
    assert word in second.reason
    _verify(ca, second, after=later)
    assert _issue(ca, present=second.pair, after=later).leaf is CertificateAction.KEPT


def test_a_ca_is_kept_as_long_as_it_outlives_a_new_leaf(ca: Authority) -> None:
    first = _issue(ca)
    before = _contents(ca)
    kept = _issue(ca, present=first.pair, after=timedelta(days=3650 - 398))
    assert (kept.leaf, kept.ca) == (CertificateAction.REPLACED, CertificateAction.KEPT)
    assert _contents(ca) == before
    later = timedelta(days=3650 - 396)
    issued = _issue(ca, present=first.pair, after=later)
    assert (issued.leaf, issued.ca) == (CertificateAction.REPLACED, CertificateAction.REPLACED)
    _verify(ca, issued, after=later)
    assert _mode(ca.key) == 0o600


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN NONSENSE-----\n"])
def test_a_damaged_leaf_is_replaced(ca: Authority, damage: bytes) -> None:
    first = _issue(ca).pair
    for pair in (Pair(damage, first.key), Pair(first.certificate, damage)):
        issued = _issue(ca, present=pair)
        assert (issued.leaf, issued.ca) == (CertificateAction.REPLACED, CertificateAction.KEPT)
        assert "cannot be read" in issued.reason
        _verify(ca, issued)


def test_a_key_of_another_certificate_is_noticed(ca: Authority) -> None:
    mixed = Pair(_issue(ca).pair.certificate, _issue(ca).pair.key)
    assert "belongs to another" in _issue(ca, present=mixed).reason


def test_a_leaf_of_another_ca_is_replaced(ca: Authority, tmp_path: Path) -> None:
    foreign = _issue(Authority(tmp_path / "other")).pair
    _issue(ca)
    issued = _issue(ca, present=foreign)
    assert (issued.leaf, issued.ca) == (CertificateAction.REPLACED, CertificateAction.KEPT)
    assert "does not verify against the CA" in issued.reason
    _verify(ca, issued)


def test_a_leaf_whose_ca_is_gone_is_replaced_with_a_new_ca(ca: Authority) -> None:
    first = _issue(ca)
    for path in ca.folder.iterdir():
        path.unlink()
    second = _issue(ca, present=first.pair)
    assert (second.leaf, second.ca) == (CertificateAction.REPLACED, CertificateAction.CREATED)
    _verify(ca, second)


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_ca_without_its_key_signs_nothing_and_is_not_overwritten(
    ca: Authority, damage: bytes
) -> None:
    first = _issue(ca)
    ca.key.write_bytes(damage)
    before = _contents(ca)
    assert _issue(ca, present=first.pair).leaf is CertificateAction.KEPT
    with pytest.raises(OpsError, match="cannot sign with the CA") as caught:
        _issue(ca, present=first.pair, force=True)
    assert "move it away" in caught.value.hint
    assert _contents(ca) == before


def test_the_key_of_the_ca_may_be_kept_elsewhere_until_it_is_needed(ca: Authority) -> None:
    first = _issue(ca)
    ca.key.unlink()
    assert _issue(ca, present=first.pair).leaf is CertificateAction.KEPT
    assert not ca.key.exists()


def test_a_leaf_in_the_place_of_the_ca_signs_nothing(ca: Authority) -> None:
    leaf = _issue(ca).pair
    ca.write(leaf)
    with pytest.raises(OpsError, match="not one of a CA"):
        _issue(ca, present=leaf, force=True)


def test_an_unusable_new_leaf_is_refused_before_anything_is_written(
    ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "make_leaf", lambda ca, *_: ca)
    with pytest.raises(OpsError, match="unusable, so nothing was written"):
        _issue(ca)
    assert not ca.folder.exists()


def test_a_long_domain_fits(ca: Authority) -> None:
    name = ".".join(["a" * 60, "b" * 60, "example.com"])
    _verify(ca, _issue(ca, name), name)


@pytest.mark.parametrize("name", ["ca.pem", "ca-key.pem"])
def test_a_folder_in_the_place_of_a_file_is_explained(ca: Authority, name: str) -> None:
    (ca.folder / name).mkdir(parents=True)
    with pytest.raises(OpsError, match=rf"cannot use .*{name}: Is a directory"):
        _issue(ca)


def test_a_file_in_the_place_of_the_folder_is_explained(ca: Authority) -> None:
    ca.folder.parent.mkdir()
    ca.folder.touch()
    with pytest.raises(OpsError, match="Not a directory"):
        _issue(ca)
