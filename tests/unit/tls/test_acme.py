import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import LETSENCRYPT, Environment
from scripts.stack.compose import Stack
from scripts.tls import acme
from scripts.tls.certificates import Pair
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in
from tests.unit.support.pki import DOMAIN, issued_now, parts
from tests.unit.support.production import LOOK, ORDER, READ

PRIVATE = "https://Pebble.test:14000/dir"


def _stack(tmp_path: Path, **answers: Completed) -> Stack:
    prefixes = {"order": ORDER, "read": READ, "look": LOOK}
    runner = FakeRunner({prefixes[name]: answer for name, answer in answers.items()})
    return Stack(settings_in(tmp_path, environment=Environment.PROD), runner)


def _calls(stack: Stack, what: str) -> list[list[str]]:
    assert isinstance(stack.runner, FakeRunner)
    return [argv for argv in stack.runner.calls if what in argv]


def _cat(pair: Pair) -> Completed:
    return says((pair.certificate + pair.key).decode())


def _obtain(stack: Stack, *names: str, force: bool = False, email: str = "") -> Pair:
    return acme.obtain(stack, names or (DOMAIN,), server=PRIVATE, email=email, force=force)


# --- names ---


@pytest.mark.parametrize("name", ["*.example.com", "192.0.2.7", "2001:db8::7"])
@pytest.mark.parametrize("server", [LETSENCRYPT, acme.STAGING, PRIVATE])
def test_what_http_cannot_prove_is_refused_for_any_authority(server: str, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        acme.check_names((DOMAIN, name), server)
    assert f"for {name} from" in caught.value.message
    assert "inv setup-tls selfsigned" in caught.value.hint


@pytest.mark.parametrize("name", ["localhost", "odoo", "odoo.local", "odoo.internal", "a.test"])
def test_private_names_are_refused_by_public_authorities_alone(name: str) -> None:
    for server in (LETSENCRYPT, acme.STAGING):
        with pytest.raises(UsageError, match="no certificate can be had"):
            acme.check_names((name,), server)
    acme.check_names((name,), PRIVATE)


def test_public_names_are_good_and_none_at_all_is_not() -> None:
    acme.check_names((DOMAIN, "localhost.example.org"), LETSENCRYPT)
    with pytest.raises(UsageError, match="no domain at all"):
        acme.check_names((), PRIVATE)


# --- certbot ---


def test_certbot_is_asked_for_all_names_by_webroot_without_questions(tmp_path: Path) -> None:
    pair = issued_now((DOMAIN, "shop.example.com"))
    stack = _stack(tmp_path, read=_cat(pair))
    assert _obtain(stack, DOMAIN, "shop.example.com", force=True, email="me@x.org") == pair
    ((*_, argv),) = [_calls(stack, "certonly")]
    line = " ".join(argv)
    assert "--webroot --webroot-path /var/www/acme --non-interactive --agree-tos" in line
    assert f"--server {PRIVATE} --cert-name pebble.test-14000" in line
    assert "--key-type ecdsa --elliptic-curve secp256r1 --force-renewal" in line
    assert line.endswith(f"--email me@x.org --domain {DOMAIN} --domain shop.example.com")
    assert "--register-unsafely-without-email" not in line
    assert isinstance(stack.runner, FakeRunner)
    assert stack.runner.changing == [argv]


def test_no_email_is_said_to_certbot_which_would_ask_otherwise(tmp_path: Path) -> None:
    stack = _stack(tmp_path, read=_cat(issued_now()))
    _obtain(stack, force=True)
    (argv,) = _calls(stack, "certonly")
    assert "--register-unsafely-without-email" in argv
    assert "--email" not in argv


def test_the_key_is_in_no_argument(tmp_path: Path) -> None:
    stack = _stack(tmp_path, read=_cat(issued_now()))
    _obtain(stack, force=True)
    assert isinstance(stack.runner, FakeRunner)
    assert "PRIVATE" not in json.dumps(stack.runner.calls)


def test_each_authority_has_a_lineage_of_its_own(tmp_path: Path) -> None:
    names = []
    for server in (LETSENCRYPT, acme.STAGING, PRIVATE, PRIVATE.replace("14000", "15000")):
        stack = _stack(tmp_path, read=_cat(issued_now()))
        acme.obtain(stack, (DOMAIN,), server=server, email="", force=True)
        (argv,) = _calls(stack, "certonly")
        names.append(argv[argv.index("--cert-name") + 1])
        assert _calls(stack, "sh")[-1][-1] == names[-1]
    assert len(set(names)) == 4
    assert all("/" not in name and name for name in names)


def test_what_certbot_has_already_costs_no_second_certificate(tmp_path: Path) -> None:
    pair = issued_now()
    stack = _stack(tmp_path, read=_cat(pair))
    assert _obtain(stack) == pair
    assert _calls(stack, "certonly") == []
    _obtain(stack, force=True)
    assert len(_calls(stack, "certonly")) == 1


@pytest.mark.parametrize(
    ("names", "age", "problem"),
    [
        (("other.example.com",), timedelta(hours=1), f"without {DOMAIN}"),
        ((DOMAIN,), timedelta(days=61), "it expires on"),
        ((DOMAIN,), timedelta(hours=-2), "not valid before"),
    ],
)
def test_a_bad_one_that_certbot_has_is_neither_used_nor_taken_for_new(
    tmp_path: Path, names: tuple[str, ...], age: timedelta, problem: str
) -> None:
    stack = _stack(tmp_path, read=_cat(issued_now(names, age=age)))
    with pytest.raises(OpsError, match="unusable, so nothing was changed") as caught:
        _obtain(stack)
    assert problem in caught.value.message
    assert len(_calls(stack, "certonly")) == 1


def test_a_chain_without_its_issuer_is_refused(tmp_path: Path) -> None:
    pair = issued_now()
    stack = _stack(tmp_path, read=_cat(Pair(parts(pair.certificate)[0], pair.key)))
    with pytest.raises(OpsError, match="issuer is missing"):
        _obtain(stack)


@pytest.mark.parametrize("answer", [says(code=1), says(""), says("nonsense")])
def test_where_certbot_has_nothing_after_all_it_is_said(tmp_path: Path, answer: Completed) -> None:
    with pytest.raises(OpsError, match="unusable, so nothing was changed: missing"):
        _obtain(_stack(tmp_path, read=answer))


# --- the preflight ---


def _found(body: str = "token", error: str = "") -> Completed:
    addresses = [] if error.startswith("dns") else ["192.0.2.7"]
    found: Mapping[str, object] = {"addresses": addresses, "error": error, "body": body}
    return says(json.dumps({"token": "token", "found": {DOMAIN: found}}))


def _preflight(tmp_path: Path, answer: Completed) -> list[str]:
    reporter = FakeReporter()
    acme.preflight(_stack(tmp_path, look=answer), reporter, (DOMAIN,))
    return reporter.said


def test_a_domain_that_our_nginx_answers_passes_without_a_word(tmp_path: Path) -> None:
    assert _preflight(tmp_path, _found()) == []


def test_a_domain_without_an_address_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=f"{DOMAIN} has no address in DNS") as caught:
        _preflight(tmp_path, _found("", "dns: [Errno -2] Name or service not known"))
    assert "Make DNS point to this server" in caught.value.hint


def test_a_domain_that_another_server_answers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"\(192\.0\.2\.7\) is answered by another.*'status 404'"):
        _preflight(tmp_path, _found("status 404"))


def test_a_domain_that_does_not_answer_from_inside_is_only_warned_of(tmp_path: Path) -> None:
    (said,) = _preflight(tmp_path, _found("", "connection: timed out"))
    assert "does not answer from here (connection: timed out)" in said


def test_a_preflight_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="did not run: no such image"):
        _preflight(tmp_path, says(code=125, stderr="no such image\n"))
