from dataclasses import replace

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.settings import Environment, Settings
from scripts.stack.compose import Stack
from scripts.tls import acme, certificates, renewal, setup
from scripts.tls.certificates import Pair
from scripts.tls.renewal import Renewal
from scripts.tls.selfsigned import CertificateAction
from scripts.tls.store import Installed, Kind, Store
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


@pytest.fixture
def reporter() -> FakeReporter:
    return FakeReporter()


def _env(stack: Stack) -> str:
    return stack.settings.env_file.read_text()


# --- before production is started ---


def test_development_needs_no_certificate(stack: Stack, reporter: FakeReporter) -> None:
    settings = replace(stack.settings, environment=Environment.DEV)
    setup.prepare(replace(stack, settings=settings), reporter)
    assert (Store(settings.certificates).read(), reporter.said) == (None, [])


def test_a_dry_run_makes_no_certificate(
    stack: Stack, nginx: FakeNginx, reporter: FakeReporter
) -> None:
    nginx.dry = True
    setup.prepare(stack, reporter)
    assert Store(stack.settings.certificates).read() is None


def test_without_a_certificate_a_self_signed_one_stands_in_and_it_is_said(
    stack: Stack, nginx: FakeNginx, reporter: FakeReporter
) -> None:
    nginx.running = False
    setup.prepare(stack, reporter)
    assert in_use(stack).kind is Kind.SELFSIGNED
    assert set(in_use(stack).names) == {DOMAIN, "localhost", "127.0.0.1", "::1"}
    (said,) = reporter.said
    assert "a self-signed certificate stands in" in said
    setup.prepare(stack, reporter)
    assert len(reporter.said) == 1


def test_a_self_signed_one_follows_the_domain(stack: Stack, reporter: FakeReporter) -> None:
    setup.prepare(stack, reporter)
    settings = replace(stack.settings, domains=(NEW,))
    setup.prepare(replace(stack, settings=settings), reporter)
    assert NEW in in_use(stack).names
    assert DOMAIN not in in_use(stack).names


def test_a_pair_that_nginx_could_not_use_stops_the_start(
    stack: Stack, reporter: FakeReporter
) -> None:
    pair = issued_now()
    use(stack, Pair(pair.certificate, issued_now().key), Kind.OWN)
    with pytest.raises(OpsError, match=r"nginx/certs/current: .*another certificate"):
        setup.prepare(stack, reporter)


@pytest.mark.parametrize("kind", [Kind.OWN, Kind.LETSENCRYPT])
def test_a_certificate_for_other_names_or_near_its_end_is_warned_of(
    stack: Stack, reporter: FakeReporter, kind: Kind
) -> None:
    use(stack, issued_now((NEW,)), kind)
    setup.prepare(stack, reporter)
    use(stack, issued_now(age=DUE), kind)
    setup.prepare(stack, reporter)
    assert f"is not for {DOMAIN}" in reporter.said[0]
    assert "it expires on" in reporter.said[1]
    assert in_use(stack).kind is kind


def test_a_wildcard_of_ones_own_is_for_the_domain(stack: Stack, reporter: FakeReporter) -> None:
    use(stack, issued_now(("*.example.com",)), Kind.OWN)
    setup.prepare(stack, reporter)
    assert reporter.said == []


# --- self-signed ---


def test_a_self_signed_certificate_is_created_then_kept_then_replaced(
    stack: Stack, nginx: FakeNginx
) -> None:
    first = setup.use_selfsigned(stack)
    assert (first.done, first.ca) == (CertificateAction.CREATED, CertificateAction.CREATED)
    assert nginx.serves == first.installed.pair.certificate
    second = setup.use_selfsigned(stack)
    assert (second.done, second.installed) == (CertificateAction.KEPT, first.installed)
    third = setup.use_selfsigned(stack, force=True)
    assert (third.done, third.ca, third.reason) == (
        CertificateAction.REPLACED,
        CertificateAction.KEPT,
        "--force was given",
    )
    assert nginx.serves == third.installed.pair.certificate
    assert third.expires == certificates.expiry(nginx.serves)


def test_addresses_once_given_are_kept_until_others_are(stack: Stack) -> None:
    setup.use_selfsigned(stack, [DOMAIN, "192.0.2.7", "2001:db8::7"])
    names = set(setup.use_selfsigned(stack, force=True).installed.names)
    assert {DOMAIN, "192.0.2.7", "2001:db8::7"} < names
    names = set(setup.use_selfsigned(stack, ["192.0.2.8", DOMAIN]).installed.names)
    assert {DOMAIN, "192.0.2.8"} < names
    assert "192.0.2.7" not in names


def test_a_given_domain_becomes_the_one_of_the_settings(stack: Stack, nginx: FakeNginx) -> None:
    setup.use_selfsigned(stack)
    setup.use_selfsigned(stack, ["*.Example.com", NEW, "::1"])
    assert _env(stack) == f'# Mine\nODOO_DOMAIN="{NEW} *.example.com"\n'
    assert Settings.load(stack.settings.root).domains == (NEW, "*.example.com")
    assert nginx.domain == f"{NEW} *.example.com"


@pytest.mark.parametrize("given", [["*.example.com"], ["a b"], ["https://x.org"]])
def test_names_that_are_no_site_change_nothing(stack: Stack, given: list[str]) -> None:
    before = _env(stack)
    with pytest.raises(UsageError):
        setup.use_selfsigned(stack, given)
    assert _env(stack) == before
    assert not setup.authority(stack.settings).folder.exists()


@pytest.mark.parametrize("kind", [Kind.OWN, Kind.LETSENCRYPT])
def test_a_certificate_of_somebody_else_is_replaced_only_by_force(stack: Stack, kind: Kind) -> None:
    former = use(stack, issued_now(), kind)
    with pytest.raises(OpsError, match=rf"not self-signed \({kind}\)") as caught:
        setup.use_selfsigned(stack)
    assert "--force" in caught.value.hint
    assert in_use(stack).pair == former.pair
    assert setup.use_selfsigned(stack, force=True).done is CertificateAction.REPLACED
    assert in_use(stack).kind is Kind.SELFSIGNED


def test_a_domain_that_cannot_be_put_in_use_is_put_back(stack: Stack, nginx: FakeNginx) -> None:
    former = setup.use_selfsigned(stack).installed
    before = _env(stack)
    nginx.stuck = True
    with pytest.raises(OpsError, match="another certificate"):
        setup.use_selfsigned(stack, [NEW])
    assert (_env(stack), in_use(stack)) == (before, former)
    assert nginx.domain == DOMAIN
    assert nginx.serves == former.pair.certificate


@pytest.mark.parametrize("mode", ["selfsigned", "letsencrypt"])
def test_a_domain_that_the_environment_contradicts_is_refused_before_anything_is_done(
    stack: Stack, nginx: FakeNginx, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("ODOO_DOMAIN", DOMAIN)
    before = _env(stack)
    with pytest.raises(UsageError, match="ODOO_DOMAIN of the environment wins"):
        if mode == "selfsigned":
            setup.use_selfsigned(stack, [NEW])
        else:
            setup.use_letsencrypt(stack, FakeReporter(), [NEW])
    assert _env(stack) == before
    assert nginx.calls == []
    assert not setup.authority(stack.settings).folder.exists()
    setup.use_selfsigned(stack, [DOMAIN])


# --- from an authority ---


def test_a_first_certificate_needs_no_running_nginx_and_leaves_none(
    stack: Stack, nginx: FakeNginx, reporter: FakeReporter
) -> None:
    pair = issued_now()
    nginx.running = False
    certbot_has(nginx, pair)
    outcome = setup.use_letsencrypt(stack, reporter, email="me@example.com")
    assert outcome.done is CertificateAction.CREATED
    assert in_use(stack) == Installed(pair, Kind.LETSENCRYPT, SERVER)
    assert nginx.ran("docker compose up") and not nginx.running
    assert "ACME_EMAIL=me@example.com\n" in _env(stack)


def test_a_failed_order_stops_the_nginx_that_was_started_for_it(
    stack: Stack, nginx: FakeNginx, reporter: FakeReporter
) -> None:
    nginx.running = False
    nginx.answers[READ] = nginx.answers[ORDER] = says(code=1)
    before = _env(stack)
    with pytest.raises(OpsError, match="issued no certificate"):
        setup.use_letsencrypt(stack, reporter, [NEW], email="me@example.com")
    assert not nginx.running
    assert _env(stack) == before


def test_an_nginx_that_does_not_come_up_for_an_order_is_not_left_behind(
    stack: Stack, nginx: FakeNginx, reporter: FakeReporter
) -> None:
    nginx.running = False
    nginx.answers["docker compose up"] = OpsError("unhealthy")
    with pytest.raises(OpsError, match="unhealthy"):
        setup.use_letsencrypt(stack, reporter)
    assert nginx.ran("docker compose rm --stop --force nginx")


def test_an_nginx_of_the_development_stack_is_not_taken_away(
    stack: Stack, nginx: FakeNginx, reporter: FakeReporter
) -> None:
    nginx.port, nginx.target = 80, 80
    with pytest.raises(OpsError, match="without HTTPS") as caught:
        setup.use_letsencrypt(stack, reporter)
    assert "inv up --prod" in caught.value.hint
    assert not nginx.ran("docker compose rm")


def test_a_good_certificate_is_kept_and_the_authority_left_alone(
    stack: Stack, nginx: FakeNginx, reporter: FakeReporter
) -> None:
    former = use(stack, issued_now(), Kind.LETSENCRYPT)
    outcome = setup.use_letsencrypt(stack, reporter)
    assert (outcome.done, outcome.installed) == (CertificateAction.KEPT, former)
    assert not nginx.ran(CERTBOT)


@pytest.mark.parametrize("change", ["force", "server", "names", "kind"])
def test_a_good_certificate_is_replaced_where_another_is_wanted(
    stack: Stack, nginx: FakeNginx, reporter: FakeReporter, change: str
) -> None:
    use(stack, issued_now(), Kind.OWN if change == "kind" else Kind.LETSENCRYPT)
    server = acme.STAGING if change == "server" else ""
    names = [NEW] if change == "names" else []
    pair = issued_now(names or [DOMAIN])
    certbot_has(nginx, pair)
    outcome = setup.use_letsencrypt(stack, reporter, names, server=server, force=change == "force")
    assert (outcome.done, outcome.installed.pair) == (CertificateAction.REPLACED, pair)
    assert outcome.reason
    assert nginx.serves == pair.certificate
    assert nginx.ran(ORDER) is (change == "force")


def test_a_name_is_refused_before_the_engine_is_asked(
    stack: Stack, nginx: FakeNginx, reporter: FakeReporter
) -> None:
    with pytest.raises(UsageError):
        setup.use_letsencrypt(stack, reporter, ["*.example.com"])
    assert nginx.calls == []


def test_two_at_once_are_refused(stack: Stack, reporter: FakeReporter) -> None:
    setup.use_selfsigned(stack)
    with file_lock(stack.settings.state_folder / "tls.lock", "setup-tls"):
        for attempt in (
            lambda: setup.use_selfsigned(stack),
            lambda: setup.use_letsencrypt(stack, reporter),
            lambda: setup.prepare(stack, reporter),
            lambda: renewal.renew(stack, reporter),
        ):
            with pytest.raises(OpsError, match=r"`inv setup-tls` .* is still running"):
                attempt()
    assert renewal.renew(stack, reporter)[0] is Renewal.NOT_DUE
