"""What certbot prints when it fails, and what a person is told then."""

from pathlib import Path

import pytest

from scripts.core.errors import OpsError
from scripts.core.settings import Environment
from scripts.stack.compose import Stack
from scripts.tls import acme
from tests.unit.support.fakes import FakeRunner, says, settings_in
from tests.unit.support.pki import DOMAIN
from tests.unit.support.production import ORDER, READ

# Compose and certbot's log line around each failure, on standard error.
_BEFORE = """\
 Container ipai-platform-certbot-run-0c5d Creating
 Container ipai-platform-certbot-run-0c5d Created
Saving debug log to /var/log/letsencrypt/letsencrypt.log
"""
_AFTER = """\
Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile \
/var/log/letsencrypt/letsencrypt.log or re-run Certbot with -v for more details.
"""
_CHALLENGE = """\
Requesting a certificate for odoo.example.com

Certbot failed to authenticate some domains (authenticator: webroot). \
The Certificate Authority reported these problems:
  Domain: odoo.example.com
  Type:   {kind}
  Detail: {detail}

Hint: The Certificate Authority failed to download the temporary challenge files created by \
Certbot. Ensure that the listed domains serve their content from the provided \
--webroot-path/-w and that files created there can be downloaded from the internet.

"""


def _failure(tmp_path: Path, stdout: str, stderr: str) -> OpsError:
    answers = {
        ORDER: says(stdout, code=1, stderr=_BEFORE + stderr + _AFTER),
        READ: says(code=1),
    }
    settings = settings_in(tmp_path, environment=Environment.PROD)
    with pytest.raises(OpsError) as caught:
        acme.obtain(
            Stack(settings, FakeRunner({**answers})), (DOMAIN,), server="https://a.test", email=""
        )
    return caught.value


@pytest.mark.parametrize(
    ("kind", "detail", "hint"),
    [
        (
            "dns",
            "DNS problem: NXDOMAIN looking up A for odoo.example.com - check that a DNS record"
            " exists for this domain",
            "make DNS point to this server",
        ),
        (
            "dns",
            "While processing CAA for odoo.example.com: DNS problem: SERVFAIL looking up CAA",
            "make DNS point to this server",
        ),
        (
            "connection",
            "192.0.2.7: Fetching http://odoo.example.com/.well-known/acme-challenge/x:"
            " Timeout during connect (likely firewall problem)",
            "open it in the firewall",
        ),
        (
            "connection",
            "192.0.2.7: Fetching http://odoo.example.com/.well-known/acme-challenge/x:"
            " Connection refused",
            "open it in the firewall",
        ),
        (
            "unauthorized",
            "192.0.2.7: Invalid response from"
            " http://odoo.example.com/.well-known/acme-challenge/x: 404",
            "Another server answers for the domain",
        ),
        (
            "caa",
            "CAA record for odoo.example.com prevents issuance",
            "A CAA record in DNS forbids this authority",
        ),
        ("caa", "Issuance is not allowed", "A CAA record in DNS forbids this authority"),
    ],
)
def test_a_challenge_that_fails_is_quoted_with_its_cure(
    tmp_path: Path, kind: str, detail: str, hint: str
) -> None:
    error = _failure(
        tmp_path, _CHALLENGE.format(kind=kind, detail=detail), "Some challenges failed.\n"
    )
    assert hint in error.hint
    assert f"Type:   {kind}" in error.message
    assert detail in error.message
    assert "the present one stays in use" in error.message


@pytest.mark.parametrize(
    ("stderr", "hint"),
    [
        (
            "An unexpected error occurred:\nError creating new order :: too many certificates (5)"
            " already issued for this exact set of identifiers in the last 168h0m0s, retry after"
            " 2030-05-19 08:12:43 UTC: see https://letsencrypt.org/docs/rate-limits/\n",
            "rate limit is reached",
        ),
        (
            "An unexpected error occurred:\nThere were too many requests of a given type ::"
            " too many failed authorizations (5) for odoo.example.com in the last 1h0m0s\n",
            "rate limit is reached",
        ),
        (
            "An unexpected error occurred:\nCertification Authority Authorization (CAA) records"
            " forbid the CA from issuing a certificate :: CAA forbids\n",
            "A CAA record in DNS forbids",
        ),
        (
            "An unexpected error occurred:\nThe server will not issue certificates for the"
            " identifier :: Cannot issue for odoo.example.com: The ACME server refuses to issue"
            " a certificate for this domain name, because it is forbidden by policy\n",
            "does not issue certificates for this domain",
        ),
        (
            "Another instance of Certbot is already running.\n",
            "run this again in a minute",
        ),
        (
            "An unexpected error occurred:\nValueError: Requesting a.test/dir: Connection"
            " refused\n",
            "authority itself cannot be reached",
        ),
        (
            "An unexpected error occurred:\nrequests.exceptions.ConnectionError:"
            " HTTPSConnectionPool(host='a.test', port=443): Max retries exceeded with url: /dir"
            ' (Caused by NameResolutionError("HTTPSConnection(host=a.test): Failed to resolve'
            " 'a.test' ([Errno -2] Name or service not known)\"))\n",
            "authority itself cannot be reached",
        ),
        (
            "Unable to register an account with ACME server. The ACME server believes"
            " me@example.com is an invalid email address. Please ensure it is a valid email and"
            " attempt registration again.\n",
            "correct --email or ACME_EMAIL",
        ),
        (
            "An unexpected error occurred:\nThe server experienced an internal error :: Error"
            " creating new order\n",
            "a trouble of its own",
        ),
        ("An unexpected error occurred:\nThe moon is full.\n", "said no more than that"),
        ("", "said no more than that"),
    ],
)
def test_a_refusal_is_quoted_with_its_cure(tmp_path: Path, stderr: str, hint: str) -> None:
    error = _failure(tmp_path, "Requesting a certificate for odoo.example.com\n", stderr)
    assert hint in error.hint
    for line in stderr.splitlines():
        assert line in error.message


def test_what_compose_and_certbot_always_say_is_left_out(tmp_path: Path) -> None:
    stdout = _CHALLENGE.format(kind="dns", detail="NXDOMAIN")
    error = _failure(tmp_path, stdout, "Some challenges have failed.\n")
    for noise in ("Container", "Saving debug log", "Ask for help", "Requesting a", "Hint: "):
        assert noise not in error.message
    assert "\n\n" not in error.message
    lines = error.message.splitlines()
    assert lines[1:] == [
        "  Some challenges have failed.",
        "  Certbot failed to authenticate some domains (authenticator: webroot). "
        "The Certificate Authority reported these problems:",
        "    Domain: odoo.example.com",
        "    Type:   dns",
        "    Detail: NXDOMAIN",
    ]


def test_a_long_output_is_cut_to_its_end(tmp_path: Path) -> None:
    error = _failure(tmp_path, "".join(f"line {n}\n" for n in range(40)), "")
    assert len(error.message.splitlines()) == 13
    assert error.message.endswith("line 39")
