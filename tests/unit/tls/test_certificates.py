from datetime import datetime, timedelta

import pytest

from scripts.core.errors import UsageError
from scripts.tls import certificates, hostnames
from scripts.tls.certificates import Pair
from tests.unit.support.pki import DOMAIN, NOW, issued, parts

_SECOND = timedelta(seconds=1)
_MICRO = timedelta(microseconds=1)


def _problem(pair: Pair, *names: str, now: datetime = NOW + timedelta(days=1)) -> str:
    return certificates.issued_problem(pair, names or (DOMAIN,), now)


# --- when it is due ---


@pytest.mark.parametrize(
    "life", [timedelta(days=397), timedelta(days=90), timedelta(days=6), timedelta(seconds=60)]
)
def test_a_certificate_is_due_from_the_moment_a_third_of_its_life_is_left(life: timedelta) -> None:
    leaf = issued(life=life).certificate
    due = NOW + 2 * life / 3
    assert certificates.date_problem(leaf, due - _MICRO) == ""
    assert "it expires on" in certificates.date_problem(leaf, due)


def test_a_certificate_is_refused_before_its_first_and_after_its_last_moment() -> None:
    leaf = issued(life=timedelta(days=90)).certificate
    assert "2030-05-17 12:30" in certificates.date_problem(leaf, NOW - _SECOND)
    assert "not valid before" in certificates.date_problem(leaf, NOW - _SECOND)
    assert certificates.date_problem(leaf, NOW) == ""
    last = NOW + timedelta(days=90)
    assert "it expires on" in certificates.date_problem(leaf, last)
    assert "it expired on 2030-08-15" in certificates.date_problem(leaf, last + _SECOND)


# --- what an authority issued ---


def test_what_an_authority_issued_is_accepted_for_exactly_its_names() -> None:
    pair = issued((DOMAIN, "shop.example.com"))
    assert _problem(pair, "shop.example.com", DOMAIN) == ""
    assert _problem(pair) == "it is still for shop.example.com"
    wanted = (DOMAIN, "shop.example.com", "new.example.com")
    assert _problem(pair, *wanted) == "it is without new.example.com"


def test_an_issued_certificate_needs_its_issuer_behind_it() -> None:
    pair = issued()
    leaf, issuer = parts(pair.certificate)
    other = parts(issued().certificate)[1]
    assert "issuer is missing" in _problem(Pair(leaf, pair.key))
    assert "in disorder" in _problem(Pair(leaf + other, pair.key))
    assert "in disorder" in _problem(Pair(leaf + leaf + issuer, pair.key))
    assert "another certificate" in _problem(Pair(issuer + leaf, pair.key))


def test_an_issuer_that_cannot_be_read_is_a_problem_and_not_a_crash() -> None:
    pair = issued()
    leaf, issuer = parts(pair.certificate)
    damaged = issuer.replace(b"\nMII", b"\nAII")
    assert "issuer cannot be read" in _problem(Pair(leaf + damaged, pair.key))


def test_an_issuer_that_ends_first_is_noticed() -> None:
    pair = issued(issuer_life=timedelta(hours=2))
    assert _problem(pair, now=NOW + timedelta(hours=2)) == ""
    assert "issuer is not valid now" in _problem(pair, now=NOW + timedelta(hours=3))


def test_a_key_of_another_certificate_is_noticed() -> None:
    assert "belongs to another" in _problem(Pair(issued().certificate, issued().key))


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\n"])
def test_halves_that_cannot_be_read_are_named(damage: bytes) -> None:
    pair = issued()
    assert _problem(Pair(damage, pair.key)) == "the certificate cannot be read"
    assert _problem(Pair(pair.certificate, damage)) == "the private key cannot be read"


def test_no_private_key_shows_in_a_repr() -> None:
    assert "PRIVATE" not in repr(certificates.make_ca(NOW))


# --- names ---


def test_names_are_canonical_each_once_and_those_of_this_machine_last() -> None:
    given = ["Odoo.Example.com ", "192.0.2.7", "2001:DB8:0::7", DOMAIN, " ", "LOCALHOST"]
    known = (DOMAIN, "192.0.2.7", "2001:db8::7", "localhost")
    assert hostnames.parse_names(given) == (*known, "127.0.0.1", "::1")
    assert hostnames.parse_names([]) == hostnames.LOCAL_NAMES


def test_the_names_of_this_machine_are_left_out_on_request() -> None:
    assert hostnames.parse_names([DOMAIN, "*.Example.com"], local=False) == (
        DOMAIN,
        "*.example.com",
    )
    assert hostnames.parse_names([], local=False) == ()


@pytest.mark.parametrize(
    "name",
    ["https://a.example.com", "a.example.com:443", "a b", "-a.example.com", "a..example.com",
     "münchen.example", "a_b.example.com", "192.0.2.300", "*.com", "a.*.com", "fe80::1%eth0",
     "x" * 64 + ".com", "a." * 130 + "com", "--force", "a.example.com\n.b"],
)  # fmt: skip
def test_what_is_no_name_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        hostnames.parse_names([DOMAIN, name])
    assert repr(name) in caught.value.message
    assert repr(DOMAIN) not in caught.value.message


def test_all_wrong_names_are_reported_at_once() -> None:
    with pytest.raises(UsageError, match=r"'a b', '-c'"):
        hostnames.parse_names(["a b", DOMAIN, "-c"])


def test_the_address_of_a_site_is_its_first_plain_name() -> None:
    names = ("*.example.com", "2001:db8::7", "192.0.2.7", DOMAIN)
    assert hostnames.site_names(names) == (DOMAIN, "*.example.com", "192.0.2.7")
    assert hostnames.site_names((DOMAIN, "*.example.com")) == (DOMAIN, "*.example.com")


def test_a_wildcard_alone_is_no_site() -> None:
    with pytest.raises(UsageError, match=r"\*\.example\.com alone"):
        hostnames.site_names(("*.example.com", "::1"))


def test_addresses_alone_say_nothing_about_the_site() -> None:
    assert hostnames.site_names(("2001:db8::7", "192.0.2.7")) == ()
    assert hostnames.site_names(()) == ()


def test_addresses_are_told_from_domains() -> None:
    names = ("10.example.com", "192.0.2.7", "2001:db8::7", "*.example.com")
    assert hostnames.addresses(names) == ("192.0.2.7", "2001:db8::7")


def test_a_wildcard_covers_one_label_and_not_its_own_domain() -> None:
    leaf = issued((DOMAIN, "*.shop.example.com")).certificate
    covered = (DOMAIN, "a.shop.example.com", "*.shop.example.com")
    assert certificates.not_covered(leaf, covered) == ()
    others = ("shop.example.com", "a.b.shop.example.com", "example.com")
    assert certificates.not_covered(leaf, (*covered, *others)) == others


def test_a_certificate_that_cannot_be_read_has_no_names() -> None:
    assert certificates.names_of(b"nonsense") == ()
    assert certificates.names_of(parts(issued().certificate)[1]) == ()
