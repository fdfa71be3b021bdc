"""Certificates from an ACME authority, by certbot in its container."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from scripts.core.completed import Completed
from scripts.core.errors import OpsError, UsageError
from scripts.core.report import Reporter
from scripts.core.settings import LETSENCRYPT
from scripts.stack import oneoff
from scripts.stack.compose import Stack
from scripts.tls import certificates, hostnames
from scripts.tls.certificates import Pair

STAGING: Final = "https://acme-staging-v02.api.letsencrypt.org/directory"
_CERTBOT_TIMEOUT: Final = 600  # certbot itself gives up on an authority after 90 s a challenge
_WEBROOT: Final = "/var/www/acme"
# Names that no public authority issues for (RFC 2606, RFC 6761, RFC 6762, ICANN's .internal).
_PRIVATE: Final = ("localhost", "local", "lan", "home", "internal", "test", "example", "invalid")


@dataclass(frozen=True)
class _Failure:
    """One way to fail: how certbot's output tells, and what to do."""

    pattern: str
    hint: str


# By RFC 8555's error types, as certbot prints them for a challenge ("Type: dns"), and
# by the acme library's texts, which it prints for everything else.
_FAILURES: Final = (
    _Failure(
        r"Another instance of Certbot",
        "What an interrupted run began is still being finished; run this again in a minute.",
    ),
    _Failure(
        r"rateLimited|too many requests of a given type|too many (certificates|failed|new orders)",
        "The authority's rate limit is reached; its message says when to try again. "
        "Try with --staging until all is well: its limits are far higher.",
    ),
    _Failure(
        r"Type:\s+caa|CAA\) records forbid|CAA record",
        "A CAA record in DNS forbids this authority to issue for the domain: "
        "add one that allows it, or remove the record.",
    ),
    _Failure(
        r"Type:\s+dns|problem with a DNS query|NXDOMAIN",
        "The authority finds no address for the domain: make DNS point to this server, "
        "and wait until the old answer has expired.",
    ),
    _Failure(
        r"Type:\s+connection|could not connect to the client",
        "The authority cannot reach port 80 of the domain: open it in the firewall, "
        "forward it in the router, and check that DNS points to this server (IPv6 too).",
    ),
    _Failure(
        r"Type:\s+unauthorized|lacks sufficient authorization",
        "Another server answers for the domain: check where DNS points to, IPv6 too.",
    ),
    _Failure(
        r"rejectedIdentifier|will not issue certificates for the identifier|forbidden by policy",
        "The authority does not issue certificates for this domain.",
    ),
    _Failure(
        r"contact URI|invalidContact|unsupportedContact|invalidEmail|valid email",
        "The authority does not accept the e-mail address: correct --email or ACME_EMAIL.",
    ),
    _Failure(
        r"CERTIFICATE_VERIFY_FAILED",
        "The authority's own certificate is not trusted: name the CA that signed it in"
        " ACME_CA_FILE, and check this server's clock.",
    ),
    _Failure(
        r"[Cc]onnection refused|Max retries exceeded|Name or service not known"
        r"|Temporary failure in name resolution|[Tt]imed? ?out",
        "The authority itself cannot be reached: check this server's way out and ACME_SERVER.",
    ),
    _Failure(
        r"internal error|serverInternal|50\d (Server|Internal)|unexpected message",
        "The authority has a trouble of its own; try again later.",
    ),
)


def check_names(names: Sequence[str], server: str) -> None:
    """Raises UsageError for names that `server` cannot prove by HTTP or never issues for."""
    wrong = [name for name in names if name.startswith("*") or hostnames.address(name)]
    if server in (LETSENCRYPT, STAGING):
        wrong += [n for n in names if "." not in n or n.rpartition(".")[2] in _PRIVATE]
    if wrong or not names:
        raise UsageError(
            f"no certificate can be had for {', '.join(dict.fromkeys(wrong)) or 'no domain at all'}"
            f" from {urlsplit(server).hostname}",
            "Give public domains: inv setup-tls letsencrypt --domain odoo.example.com; "
            "for other names: inv setup-tls selfsigned",
        )


def preflight(stack: Stack, reporter: Reporter, names: Sequence[str]) -> None:
    """Look at DNS and port 80 before the authority does, whose patience is limited.

    Raises OpsError where a name has no address or another server answers. Where
    nothing answers it only warns: from inside, a router may hide what is open outside.
    """
    program = (Path(__file__).with_name("reachability.py")).read_text()
    done = _certbot(stack, "-", *names, entrypoint="python3", stdin=program)
    if not done.ok:
        raise OpsError(
            f"the preflight did not run: {done.last_line}", "Does the file ACME_CA_FILE exist?"
        )
    answer = json.loads(done.stdout)
    for name, found in answer["found"].items():
        where = ", ".join(found["addresses"])
        if found["error"].startswith("dns"):
            raise OpsError(
                f"{name} has no address in DNS ({found['error']})",
                "Make DNS point to this server, and wait until the old answer has expired.",
            )
        if found["error"]:
            reporter.note(
                f"warning: http://{name} ({where}) does not answer from here"
                f" ({found['error']}); the authority has to reach its port 80"
            )
        elif found["body"] != answer["token"]:
            raise OpsError(
                f"http://{name} ({where}) is answered by another server: {found['body']!r}",
                "Check where DNS points to, and what has port 80 there.",
            )


def obtain(
    stack: Stack, names: Sequence[str], *, server: str, email: str, force: bool = False
) -> Pair:
    """A good certificate of the authority `server` for `names`, leaf first.

    One that certbot has already is used as long as it is good, unless `force`: an
    install that failed costs no second one. Raises OpsError, with the authority's
    reason, if none is issued or what was issued is not as it should be.
    """
    lineage = _lineage(server)
    if not force:
        stored = _read(stack, lineage)
        if stored and not certificates.issued_problem(stored, names, datetime.now(UTC)):
            return stored
    done = _certbot(stack, *_arguments(lineage, names, server, email), changes=True)
    if not done.ok:
        raise _explain(done)
    issued = _read(stack, lineage)
    problem = certificates.issued_problem(issued, names, datetime.now(UTC)) if issued else "missing"
    if issued is None or problem:
        raise OpsError(f"what {server} issued is unusable, so nothing was changed: {problem}")
    return issued


def _arguments(lineage: str, names: Sequence[str], server: str, email: str) -> list[str]:
    place = ["--webroot", "--webroot-path", _WEBROOT]
    unattended = ["--non-interactive", "--agree-tos"]
    authority = ["--server", server, "--cert-name", lineage]
    key = ["--key-type", "ecdsa", "--elliptic-curve", "secp256r1"]
    again = ["--force-renewal", "--renew-with-new-domains"]
    contact = ["--email", email] if email else ["--register-unsafely-without-email"]
    domains = [part for name in names for part in ("--domain", name)]
    return ["certonly", *place, *unattended, *authority, *key, *again, *contact, *domains]


def _lineage(server: str) -> str:
    """certbot's name for our certificate; each authority has one, staging never mixes with real."""
    return re.sub(r"[^a-z0-9.-]", "-", urlsplit(server).netloc.lower())


def _read(stack: Stack, lineage: str) -> Pair | None:
    """What certbot has; through a pipe, because its volume is root's."""
    script = 'cd "/etc/letsencrypt/live/$0" 2>/dev/null && cat fullchain.pem privkey.pem'
    done = _certbot(stack, "-c", script, lineage, entrypoint="sh")
    blocks = re.findall(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", done.stdout, re.DOTALL)
    if not done.ok or not blocks:
        return None
    chain, begin, key = done.stdout.partition(f"-----BEGIN {blocks[-1]}-----")
    return Pair(chain.encode(), (begin + key).encode())


def _certbot(
    stack: Stack, *arguments: str, entrypoint: str = "", stdin: str = "", changes: bool = False
) -> Completed:
    program = ["--entrypoint", entrypoint] if entrypoint else []
    run = ["--profile", "certbot", "run", "--rm", "--no-deps", "-T"]
    with oneoff.container(stack, "certbot") as name:
        words = [*run, "--name", name, *program, "certbot", *arguments]
        return stack.run(
            *words, stdin=stdin, timeout=_CERTBOT_TIMEOUT, check=False, changes=changes
        )


def _explain(done: Completed) -> OpsError:
    output = done.stderr + done.stdout
    noise = re.compile(
        r"^( ?Container |Requesting a |Saving debug log|Ask for help|See the logfile|Hint: |$)"
    )
    lines = [line for line in output.splitlines() if not noise.match(line.strip())]
    shown = "".join(f"\n  {line}" for line in lines[-12:])
    hints = [failure.hint for failure in _FAILURES if re.search(failure.pattern, output)]
    return OpsError(
        f"the authority issued no certificate; the present one stays in use:{shown}",
        hints[0] if hints else "The authority said no more than that; try again later.",
    )
