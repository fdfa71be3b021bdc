import ipaddress
import os
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from scripts.core.errors import EXIT_FAILED, EXIT_USAGE, OpsError, UsageError
from scripts.tls import certificates, selfsigned
from scripts.tls.selfsigned import Done, Outcome, Paths, check_mode, ensure

_NOW = datetime(2030, 5, 17, 12, 30, 15, 123456, tzinfo=UTC)
_DOMAIN = "odoo.example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "nginx" / "certs"


def _run(
    folder: Path, *names: str, force: bool = False, after: timedelta = timedelta(0)
) -> Outcome:
    return ensure(folder, names, force=force, now=_NOW + after)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.pem")}


def _leaf(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(Paths(folder, folder / "ca").certificate.read_bytes())


def _verify(folder: Path, name: str, now: datetime = _NOW) -> None:
    store = Store([x509.load_pem_x509_certificate(Paths(folder, folder / "ca").ca.read_bytes())])
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    verifier = PolicyBuilder().store(store).time(now).build_server_verifier(subject)
    verifier.verify(_leaf(folder), [])


def test_a_client_that_trusts_the_ca_accepts_every_name_and_no_other(folder: Path) -> None:
    outcome = _run(folder, "Odoo.Example.com", "*.shop.example.com", "192.0.2.7", "2001:DB8:0::7")
    served = [_DOMAIN, "a.shop.example.com", "192.0.2.7", "2001:db8::7"]
    for name in [*served, "localhost", "127.0.0.1", "::1"]:
        _verify(folder, name)
    for name in ("example.com", "other.example.com", "192.0.2.8"):
        with pytest.raises(VerificationError):
            _verify(folder, name)
    assert set(outcome.names) == set(certificates.names_of(outcome.paths.certificate.read_bytes()))


def test_a_client_that_trusts_another_ca_refuses_the_leaf(folder: Path, tmp_path: Path) -> None:
    _run(folder, _DOMAIN)
    other = tmp_path / "other"
    _run(other, _DOMAIN)
    Paths(folder, folder / "ca").ca.write_bytes(Paths(other, other / "ca").ca.read_bytes())
    with pytest.raises(VerificationError):
        _verify(folder, _DOMAIN)


def test_the_leaf_is_ecdsa_p256_and_lives_at_most_397_days(folder: Path) -> None:
    outcome = _run(folder, _DOMAIN)
    leaf = _leaf(folder)
    public = leaf.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert isinstance(public.curve, ec.SECP256R1)
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert timedelta(days=390) < life < timedelta(days=397)
    assert outcome.expires == leaf.not_valid_after_utc
    key = load_pem_private_key(Paths(folder, folder / "ca").key.read_bytes(), None)
    assert key.public_key() == public


def test_the_ca_lives_ten_years_and_cannot_make_further_cas(folder: Path) -> None:
    _run(folder, _DOMAIN)
    ca = x509.load_pem_x509_certificate(Paths(folder, folder / "ca").ca.read_bytes())
    assert (ca.not_valid_after_utc - ca.not_valid_before_utc).days == 3650
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)


def test_keys_are_for_their_owner_alone_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        paths = _run(folder, _DOMAIN).paths
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert modes[paths.ca.parent] == 0o700
    assert modes[paths.ca_key] == modes[paths.key] == 0o600
    assert modes[paths.certificate] == 0o644
    assert all(b"PRIVATE" not in path.read_bytes() for path in (paths.ca, paths.certificate))


def test_a_second_run_keeps_every_byte_and_narrows_the_keys(folder: Path) -> None:
    first = _run(folder, _DOMAIN)
    assert (first.leaf, first.ca) == (Done.CREATED, Done.CREATED)
    before = _contents(folder)
    first.paths.key.chmod(0o644)
    second = _run(folder, _DOMAIN, after=timedelta(days=360))
    assert second == replace(first, leaf=Done.KEPT, ca=Done.KEPT)
    assert _contents(folder) == before
    assert stat.S_IMODE(first.paths.key.stat().st_mode) == 0o600


def test_force_changes_the_leaf_and_its_key_but_keeps_the_ca(folder: Path) -> None:
    _run(folder, _DOMAIN)
    before = _contents(folder)
    outcome = _run(folder, _DOMAIN, force=True)
    after = _contents(folder)
    assert {name for name in before if before[name] != after[name]} == {
        "fullchain.pem",
        "privkey.pem",
    }
    assert (outcome.leaf, outcome.ca) == (Done.REPLACED, Done.KEPT)
    _verify(folder, _DOMAIN)


@pytest.mark.parametrize("names", [("new.example.com",), (_DOMAIN, "192.0.2.7"), ("localhost",)])
def test_other_names_renew_the_leaf(folder: Path, names: tuple[str, ...]) -> None:
    _run(folder, _DOMAIN)
    outcome = _run(folder, *names)
    assert (outcome.leaf, outcome.ca) == (Done.REPLACED, Done.KEPT)
    _verify(folder, names[-1])
    assert (_DOMAIN in outcome.names) is (_DOMAIN in names)


def test_a_run_without_names_keeps_the_present_ones(folder: Path) -> None:
    _run(folder, _DOMAIN, "192.0.2.7")
    assert _run(folder).leaf is Done.KEPT
    assert set(_run(folder, force=True).names) >= {_DOMAIN, "192.0.2.7"}
    _verify(folder, _DOMAIN)


@pytest.mark.parametrize(("days", "word"), [(368, "expires in 28 days"), (400, "expired on")])
def test_a_leaf_near_or_past_its_end_is_renewed(folder: Path, days: int, word: str) -> None:
    _run(folder, _DOMAIN)
    later = timedelta(days=days)
    outcome = _run(folder, _DOMAIN, after=later)
    assert (outcome.leaf, outcome.ca) == (Done.REPLACED, Done.KEPT)
    assert word in outcome.reason
    _verify(folder, _DOMAIN, _NOW + later)
    assert _run(folder, _DOMAIN, after=later).leaf is Done.KEPT


def test_a_ca_that_a_new_leaf_would_outlive_is_replaced(folder: Path) -> None:
    _run(folder, _DOMAIN)
    later = timedelta(days=3650 - 300)
    outcome = _run(folder, _DOMAIN, after=later)
    assert (outcome.leaf, outcome.ca) == (Done.REPLACED, Done.REPLACED)
    _verify(folder, _DOMAIN, _NOW + later)
    assert any("trust the new one" in line for line in selfsigned.report(outcome))


@pytest.mark.parametrize("name", ["key", "certificate"])
@pytest.mark.parametrize("damage", [b"", b"-----BEGIN NONSENSE-----\n"])
def test_a_damaged_leaf_is_replaced(folder: Path, name: str, damage: bytes) -> None:
    paths = _run(folder, _DOMAIN).paths
    getattr(paths, name).write_bytes(damage)
    assert _run(folder, _DOMAIN).leaf is not Done.KEPT
    _verify(folder, _DOMAIN)


def test_a_key_of_another_certificate_is_noticed(folder: Path) -> None:
    paths = _run(folder, _DOMAIN).paths
    paths.key.write_bytes(paths.ca_key.read_bytes())
    assert "belongs to another" in _run(folder, _DOMAIN).reason


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_ca_without_its_key_signs_nothing_and_nothing_is_overwritten(
    folder: Path, damage: bytes
) -> None:
    paths = _run(folder, _DOMAIN).paths
    paths.ca_key.write_bytes(damage)
    before = _contents(folder)
    assert _run(folder, _DOMAIN).leaf is Done.KEPT
    with pytest.raises(OpsError, match="cannot sign with the CA") as caught:
        _run(folder, _DOMAIN, force=True)
    assert "move it away" in caught.value.hint
    assert _contents(folder) == before


def test_a_leaf_in_the_place_of_the_ca_signs_nothing(folder: Path) -> None:
    paths = _run(folder, _DOMAIN).paths
    paths.ca.write_bytes(paths.certificate.read_bytes())
    paths.ca_key.write_bytes(paths.key.read_bytes())
    with pytest.raises(OpsError, match="not one of a CA"):
        _run(folder, _DOMAIN)


@pytest.mark.parametrize(
    "name",
    ["https://a.example.com", "a.example.com:443", "a b", "-a.example.com", "a..example.com",
     "münchen.example", "a_b.example.com", "192.0.2.300", "*.com", "a.*.com", "fe80::1%eth0",
     "x" * 64 + ".com", "a." * 130 + "com", "--force"],
)  # fmt: skip
def test_a_bad_domain_is_refused_before_anything_is_written(folder: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        _run(folder, _DOMAIN, name)
    assert repr(name) in caught.value.message
    assert not folder.exists()


def test_a_long_domain_fits(folder: Path) -> None:
    name = ".".join(["a" * 60, "b" * 60, "example.com"])
    _run(folder, name)
    _verify(folder, name)


def test_a_folder_in_the_place_of_a_file_is_explained(folder: Path) -> None:
    Paths(folder, folder / "ca").key.mkdir(parents=True)
    with pytest.raises(OpsError, match=r"cannot use .*privkey\.pem: Is a directory"):
        _run(folder, _DOMAIN)


def test_no_private_key_shows_in_a_repr() -> None:
    assert "PRIVATE" not in repr(certificates.make_ca(_NOW))


def test_the_report_names_the_paths_the_expiry_and_three_ways_to_trust(folder: Path) -> None:
    outcome = _run(folder, _DOMAIN)
    text = "\n".join(selfsigned.report(outcome))
    for word in (str(outcome.paths.certificate), _DOMAIN, "2031-06-18", "Debian", "macOS"):
        assert word in text
    assert "Firefox" in text


def test_only_selfsigned_can_be_made() -> None:
    check_mode("selfsigned")
    with pytest.raises(OpsError, match="self-signed certificates only") as refused:
        check_mode("letsencrypt")
    assert refused.value.exit_code == EXIT_FAILED
    assert "certbot" in refused.value.hint
    with pytest.raises(UsageError) as unknown:
        check_mode("nonsense")
    assert unknown.value.exit_code == EXIT_USAGE
