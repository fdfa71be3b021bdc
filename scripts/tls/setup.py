"""`inv setup-tls`: have a good certificate, and have Nginx serve it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from scripts.core import env_file
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.report import Reporter
from scripts.core.settings import Settings, fixed
from scripts.stack import engine
from scripts.stack.compose import Stack
from scripts.tls import acme, certificates, challenge_server, deploy, hostnames, selfsigned
from scripts.tls.selfsigned import Authority, CertificateAction
from scripts.tls.store import Installed, Kind, Store


@dataclass(frozen=True)
class Outcome:
    """What is in use now, and what was done for it."""

    installed: Installed
    done: CertificateAction
    ca: CertificateAction = CertificateAction.KEPT
    reason: str = ""  # for a new certificate

    @property
    def expires(self) -> datetime:
        """When the certificate in use ends."""
        return certificates.expiry(self.installed.pair.certificate)


def authority(settings: Settings) -> Authority:
    """The private CA of this installation."""
    return Authority(settings.root / "tls-ca")


def use_selfsigned(stack: Stack, given: Sequence[str] = (), *, force: bool = False) -> Outcome:
    """Have a good certificate of the private CA in use.

    It is for the names `given`, which become ODOO_DOMAIN, or else for those of
    ODOO_DOMAIN. Raises UsageError for wrong names, OpsError if it cannot be done.
    """
    asked = _asked(given)
    _check_move(stack.settings, hostnames.site_names(asked) or stack.settings.domains)
    with file_lock(lock(stack.settings), "setup-tls"):
        present = Store(stack.settings.certificates).read()
        if present and present.kind is not Kind.SELFSIGNED and not force:
            raise OpsError(
                f"a certificate that is not self-signed ({present.kind}) is in use",
                "Give --force to use a self-signed one instead.",
            )
        return issue_selfsigned(stack, present, asked, force)


def issue_selfsigned(
    stack: Stack,
    present: Installed | None,
    asked: Sequence[str],
    force: bool,
    *,
    renewing: bool = False,
) -> Outcome:
    """Serve a certificate of the private CA: the `present` one if that will do, or a new one.

    Our lock is held. `asked` are the names that were given; `renewing`: it has to be served.
    """
    ours = present if present and present.kind is Kind.SELFSIGNED else None
    domains = hostnames.site_names(asked) or stack.settings.domains
    kept = hostnames.addresses(ours.names) if ours and not asked else ()
    names = hostnames.parse_names([*domains, *asked, *kept])
    pair = ours.pair if ours else None
    ca = authority(stack.settings)
    now = datetime.now(UTC)
    issued = selfsigned.issue(ca, pair, names, now, force=force, renewing=renewing)
    new = Installed(issued.pair, Kind.SELFSIGNED)
    changed = issued.leaf is not CertificateAction.KEPT
    # A first certificate may be made before there is an engine; a renewal has to be served.
    put_in_use(stack, new, domains, changed=changed, needs_engine=renewing)
    done = CertificateAction.REPLACED if present and not ours else issued.leaf
    return Outcome(new, done, issued.ca, issued.reason)


def use_letsencrypt(
    stack: Stack,
    reporter: Reporter,
    given: Sequence[str] = (),
    *,
    server: str = "",
    email: str = "",
    force: bool = False,
) -> Outcome:
    """Have a good certificate of an ACME authority in use.

    `given`, `server` and `email` default to ODOO_DOMAIN, ACME_SERVER and ACME_EMAIL,
    and the first and the last are remembered there. Nginx, which has to answer the
    authority, is started for it if need be, with a self-signed certificate.
    """
    settings = stack.settings
    names = _asked(given) or settings.domains
    server, email = server or settings.acme_server, email or settings.acme_email
    acme.check_names(names, server)
    _check_move(settings, names)
    with file_lock(lock(settings), "setup-tls"):
        engine.probe(stack.runner)
        present = Store(settings.certificates).read()
        reason = reason_to_issue(present, names, server, force)
        if present and not reason:
            put_in_use(stack, present, names, changed=False)
            outcome = Outcome(present, CertificateAction.KEPT)
        else:
            with reporter.step(f"Getting a certificate for {', '.join(names)}"):
                new = obtain(stack, reporter, names, server, email, force)
                put_in_use(stack, new, names, changed=True)
            done = CertificateAction.REPLACED if present else CertificateAction.CREATED
            outcome = Outcome(new, done, reason=reason)
        env_file.remember(settings.env_file, {"ACME_EMAIL": email} if email else {})
        return outcome


def _asked(given: Sequence[str]) -> tuple[str, ...]:
    wanted = [name for name in given if name.strip()]
    return hostnames.parse_names(wanted, local=False) if wanted else ()


def reason_to_issue(
    present: Installed | None, names: Sequence[str], server: str, force: bool
) -> str:
    """Why a new certificate is needed; '' if the present one will do."""
    if force:
        return "--force was given"
    if present is None:
        return "there was none"
    if (present.kind, present.server) != (Kind.LETSENCRYPT, server):
        authority = f" of {present.server}" if present.server else ""
        return f"the former was {present.kind}{authority}"
    return certificates.issued_problem(present.pair, names, datetime.now(UTC))


def obtain(
    stack: Stack, reporter: Reporter, names: Sequence[str], server: str, email: str, force: bool
) -> Installed:
    """A new certificate of the authority `server`, which Nginx answers; it is not in use yet."""
    if Store(stack.settings.certificates).read() is None:
        issue_selfsigned(stack, None, (), force=False)  # for Nginx to start with at all
    with challenge_server.nginx(stack, reporter):
        acme.preflight(stack, reporter, names)
        pair = acme.obtain(stack, names, server=server, email=email, force=force)
    return Installed(pair, Kind.LETSENCRYPT, server)


def prepare(stack: Stack, reporter: Reporter) -> None:
    """Before production is started: make sure that Nginx will find a certificate.

    Without one, a self-signed one stands in. Raises OpsError for one that Nginx
    could not use, and warns of one that browsers will not like.
    """
    if not stack.settings.tls or stack.runner.dry:
        return
    with file_lock(lock(stack.settings), "up"):
        present = Store(stack.settings.certificates).read()
        if present is None or present.kind is Kind.SELFSIGNED:
            outcome = issue_selfsigned(stack, present, (), force=False)
            if outcome.done is not CertificateAction.KEPT:
                reporter.note("TLS: a self-signed certificate stands in; see inv setup-tls")
            if outcome.ca is CertificateAction.REPLACED:
                reporter.note("TLS: the private CA is another now, which has to be trusted again")
            return
    wrong = certificates.pair_problem(present.pair)
    if wrong:
        raise OpsError(f"nginx/certs/current: {wrong}", "Run: inv setup-tls letsencrypt")
    due = certificates.date_problem(present.pair.certificate, datetime.now(UTC))
    complaint = problem(stack.settings) or (due and f"the certificate in use: {due}")
    if complaint:
        reporter.note(f"warning: {complaint}; see inv setup-tls")


def problem(settings: Settings) -> str:
    """Why browsers would refuse the certificate in use, leaving trust aside; '' if they would not.

    Raises OpsError where it cannot be read.
    """
    present = Store(settings.certificates).read()
    if present is None:
        return "there is no certificate"
    missing = certificates.not_covered(present.pair.certificate, settings.domains)
    if missing:
        return f"the certificate in use is not for {', '.join(missing)}"
    expires = certificates.expiry(present.pair.certificate)
    if expires < datetime.now(UTC):
        return f"the certificate in use expired on {expires:%Y-%m-%d}"
    return ""


def put_in_use(
    stack: Stack,
    new: Installed,
    domains: tuple[str, ...],
    *,
    changed: bool,
    needs_engine: bool = True,
) -> None:
    """Serve `new` under `domains`; what was before is there again if that fails."""
    serve = needs_engine or deploy.reachable(stack)
    moved = _move(stack, domains)
    try:
        if changed:
            deploy.install(moved, new, serve=serve)
        elif serve and deploy.outdated(moved):
            deploy.apply(moved)
    except BaseException:
        if moved is not stack:
            _move(moved, stack.settings.domains)
            deploy.apply(stack)
        raise


def _move(stack: Stack, domains: tuple[str, ...]) -> Stack:
    """`stack` under `domains`, in `.env` too."""
    if domains == stack.settings.domains:
        return stack
    env_file.remember(stack.settings.env_file, {"ODOO_DOMAIN": " ".join(domains)})
    return replace(stack, settings=replace(stack.settings, domains=domains))


def _check_move(settings: Settings, domains: tuple[str, ...]) -> None:
    if domains != settings.domains and fixed("ODOO_DOMAIN"):
        raise UsageError(
            "ODOO_DOMAIN of the environment wins over the one in .env",
            "Unset it there, or set it to the domain you want.",
        )


def lock(settings: Settings) -> Path:
    """Held by what works on the certificate in use; two never run at once."""
    return settings.state_folder / "tls.lock"
