from dataclasses import replace

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import LETSENCRYPT
from scripts.stack.compose import Stack
from scripts.tls import deploy, renewal, setup
from scripts.tls.certificates import Pair
from scripts.tls.renewal import Renewal
from scripts.tls.selfsigned import CertificateAction
from scripts.tls.store import Installed, Kind
from tests.unit.support.fake_nginx import FakeNginx
from tests.unit.support.fakes import FakeReporter, says
from tests.unit.support.pki import DOMAIN, issued_now
from tests.unit.support.production import (
    CERTBOT,
    DUE,
    NEW,
    ORDER,
    READ,
    SERVER,
    certbot_has,
    in_use,
    use,
)


def _renew(stack: Stack, *, force: bool = False) -> tuple[Renewal, setup.Outcome]:
    return renewal.renew(stack, FakeReporter(), force=force)


def _renamed(stack: Stack, name: str) -> Stack:
    """`stack` after somebody has edited ODOO_DOMAIN."""
    stack.settings.env_file.write_text(f"ODOO_DOMAIN={name}\n")
    return replace(stack, settings=replace(stack.settings, domains=(name,)))


def test_without_a_certificate_there_is_nothing_to_renew(stack: Stack) -> None:
    with pytest.raises(OpsError, match="no certificate to renew") as caught:
        _renew(stack)
    assert "inv setup-tls" in caught.value.hint


@pytest.mark.parametrize("kind", [Kind.LETSENCRYPT, Kind.OWN])
def test_a_certificate_that_is_not_due_is_left_alone(
    stack: Stack, nginx: FakeNginx, kind: Kind
) -> None:
    former = use(stack, issued_now(), kind)
    nginx.calls.clear()
    renewal, outcome = _renew(stack)
    assert (renewal, outcome.done) == (Renewal.NOT_DUE, CertificateAction.KEPT)
    assert outcome.installed.pair == in_use(stack).pair == former.pair
    assert nginx.changing == []
    assert not nginx.ran(CERTBOT) and not nginx.ran("docker exec nginx nginx")


def test_names_in_another_order_are_made_known_to_nginx(stack: Stack, nginx: FakeNginx) -> None:
    use(stack, issued_now(), Kind.OWN)
    nginx.domain = f"{NEW} {DOMAIN}"
    assert _renew(stack)[0] is Renewal.NOT_DUE
    assert nginx.ran("docker compose up --detach --no-deps")


@pytest.mark.parametrize("kind", [Kind.LETSENCRYPT, Kind.OWN, Kind.SELFSIGNED])
def test_a_good_file_that_nginx_does_not_serve_is_made_to_be_served(
    stack: Stack, nginx: FakeNginx, kind: Kind
) -> None:
    if kind is Kind.SELFSIGNED:
        setup.use_selfsigned(stack)
    else:
        use(stack, issued_now(), kind)
    nginx.serves = issued_now().certificate
    assert _renew(stack)[0] is Renewal.NOT_DUE
    assert nginx.serves == in_use(stack).pair.certificate


def test_a_good_file_that_nginx_will_not_serve_is_an_error(stack: Stack, nginx: FakeNginx) -> None:
    use(stack, issued_now(), Kind.LETSENCRYPT)
    nginx.serves, nginx.stuck = issued_now().certificate, True
    with pytest.raises(OpsError, match="serves another certificate"):
        _renew(stack)


# --- of an authority ---


def test_a_due_certificate_is_renewed_by_the_authority_that_issued_it(
    stack: Stack, nginx: FakeNginx
) -> None:
    use(stack, issued_now(age=DUE), Kind.LETSENCRYPT)
    pair = issued_now()
    certbot_has(nginx, pair)
    settings = replace(stack.settings, acme_server=LETSENCRYPT)  # changed since
    renewal, outcome = _renew(replace(stack, settings=settings))
    assert (renewal, outcome.done) == (Renewal.RENEWED, CertificateAction.REPLACED)
    assert "it expires on" in outcome.reason
    assert in_use(stack) == Installed(pair, Kind.LETSENCRYPT, SERVER)
    assert nginx.serves == pair.certificate


def test_force_renews_what_is_not_due(stack: Stack, nginx: FakeNginx) -> None:
    pair = use(stack, issued_now(), Kind.LETSENCRYPT).pair
    certbot_has(nginx, pair)
    assert _renew(stack, force=True)[0] is Renewal.RENEWED
    assert nginx.ran(ORDER)


def test_a_domain_changed_in_the_settings_is_noticed(stack: Stack, nginx: FakeNginx) -> None:
    use(stack, issued_now(), Kind.LETSENCRYPT)
    certbot_has(nginx, issued_now((NEW,)))
    renewal, outcome = _renew(_renamed(stack, NEW))
    assert renewal is Renewal.RENEWED
    assert outcome.installed.names == (NEW,)
    assert nginx.domain == NEW


def test_a_renewal_that_fails_leaves_the_present_one_in_use(stack: Stack, nginx: FakeNginx) -> None:
    former = use(stack, issued_now(age=DUE), Kind.LETSENCRYPT)
    nginx.answers[READ] = nginx.answers[ORDER] = says(code=1, stderr="rateLimited")
    with pytest.raises(OpsError, match="the present one stays in use"):
        _renew(stack)
    assert in_use(stack) == former
    assert nginx.serves == former.pair.certificate


def test_a_name_that_nobody_certifies_never_reaches_the_authority(
    stack: Stack, nginx: FakeNginx
) -> None:
    use(stack, issued_now(), Kind.LETSENCRYPT)
    with pytest.raises(UsageError, match=r"192\.0\.2\.7"):
        _renew(_renamed(stack, "192.0.2.7"))
    assert not nginx.ran(CERTBOT)


# --- self-signed ---


def test_a_self_signed_one_is_renewed_for_a_changed_domain_and_keeps_addresses(
    stack: Stack, nginx: FakeNginx
) -> None:
    setup.use_selfsigned(stack, [DOMAIN, "192.0.2.7"])
    assert _renew(stack)[0] is Renewal.NOT_DUE
    below = f"new.{DOMAIN}"
    renewal, outcome = _renew(_renamed(stack, below))
    assert renewal is Renewal.RENEWED
    assert set(outcome.installed.names) == {below, "192.0.2.7", "localhost", "127.0.0.1", "::1"}
    assert nginx.serves == outcome.installed.pair.certificate
    assert not nginx.ran(CERTBOT)


def test_no_renewal_makes_another_ca_for_a_domain_elsewhere(stack: Stack, nginx: FakeNginx) -> None:
    served = setup.use_selfsigned(stack, [DOMAIN]).installed.pair.certificate
    with pytest.raises(OpsError, match=f"private CA is not good for {NEW}") as caught:
        _renew(_renamed(stack, NEW))
    assert "inv setup-tls selfsigned" in caught.value.hint
    assert nginx.serves == served
    moved = setup.use_selfsigned(stack, [NEW])
    assert (
        moved.ca is CertificateAction.REPLACED and nginx.serves == moved.installed.pair.certificate
    )


def test_a_self_signed_one_is_kept_while_good_and_renewed_by_force(stack: Stack) -> None:
    setup.use_selfsigned(stack)
    assert _renew(stack)[0] is Renewal.NOT_DUE
    renewal, outcome = _renew(stack, force=True)
    assert (renewal, outcome.ca) == (Renewal.RENEWED, CertificateAction.KEPT)


# --- put there by hand ---


def test_ones_own_certificate_that_is_due_is_an_error_and_never_replaced(
    stack: Stack, nginx: FakeNginx
) -> None:
    former = use(stack, issued_now(age=DUE), Kind.OWN)
    with pytest.raises(OpsError, match="put there by hand: it expires on") as caught:
        _renew(stack, force=True)
    assert "inv setup-tls letsencrypt" in caught.value.hint
    assert in_use(stack).pair == former.pair
    assert not nginx.ran(CERTBOT)


def test_ones_own_certificate_with_the_wrong_key_is_an_error(stack: Stack) -> None:
    use(stack, Pair(issued_now().certificate, issued_now().key), Kind.OWN)
    with pytest.raises(OpsError, match=r"put there by hand: .*another certificate"):
        _renew(stack)


def test_a_pair_copied_over_a_self_signed_one_is_not_replaced(stack: Stack) -> None:
    setup.use_selfsigned(stack)
    pair = issued_now()
    current = stack.settings.certificates / "current"
    (current / "fullchain.pem").write_bytes(pair.certificate)
    (current / "privkey.pem").write_bytes(pair.key)
    assert _renew(stack)[0] is Renewal.NOT_DUE
    setup.prepare(stack, FakeReporter())
    assert in_use(stack) == Installed(pair, Kind.OWN)
    assert deploy.served_problem(stack) == ""
