"""Certificates."""

from invoke.context import Context

from scripts.commands.help_texts import JSON, YES
from scripts.commands.session import open_to_change
from scripts.core.tasklib import command


@command(
    {
        "mode": "selfsigned or letsencrypt.",
        "domain": "Domains (and, selfsigned, addresses), comma between; if empty, ODOO_DOMAIN.",
        "email": "Where the authority sends warnings; remembered as ACME_EMAIL.",
        "server": "Directory of another ACME authority; if empty, ACME_SERVER.",
        "staging": "Let's Encrypt's test authority, whose certificates nobody trusts.",
        "force": "Replace a certificate that is still good.",
        "trust": "Make this machine trust the private CA; asks first.",
        "untrust": "Take that back.",
        "schedule": "Renew by a systemd timer, or by cron, from now on.",
        "unschedule": "Remove that timer.",
        "yes": YES,
    },
    positional=("mode",),
)
def setup_tls(
    c: Context,
    mode: str = "",
    domain: str = "",
    email: str = "",
    server: str = "",
    staging: bool = False,
    force: bool = False,
    trust: bool = False,
    untrust: bool = False,
    schedule: bool = False,
    unschedule: bool = False,
    yes: bool = False,
) -> None:
    """Get Nginx a certificate: of a private CA, or from Let's Encrypt."""
    from scripts.tls import options

    session = open_to_change(c, prod=True, yes=yes)
    names = tuple(domain.split(",")) if domain else ()
    request = options.TlsRequest(
        mode, names, email, server, staging, force, trust, untrust, schedule, unschedule
    )
    lines = options.set_up(session.stack, session.console, request)
    session.console.say(*lines)


@command({"force": "Renew although it is not due.", "json": JSON})
def renew_tls(c: Context, force: bool = False, json: bool = False) -> None:
    """Renew the certificate if it is due; exit code 3 if it is not."""
    from scripts.tls import render, renewal

    session = open_to_change(c, prod=True)
    ended, outcome = renewal.renew(session.stack, session.console, force=force)
    render.show_renewal(session.console, ended, outcome, as_json=json)
    raise SystemExit(ended.exit_code)


TASKS = (setup_tls, renew_tls)
