"""Every command of the platform: `inv --list`, `inv --help COMMAND`."""

from dataclasses import asdict

from invoke.collection import Collection
from invoke.context import Context

from scripts import credentials, sessions, testing
from scripts import quickstart as quick
from scripts.backups import cli as backups
from scripts.backups import restore, verify
from scripts.core import checks
from scripts.core.errors import OpsError
from scripts.core.tasklib import command, open_session
from scripts.health import report
from scripts.stack import engine, images, lifecycle
from scripts.stack.compose import Stack

PROD = "Use the production overlay, whatever PLATFORM_ENV in .env says."
YES = "Answer every question with yes."
JSON = "Print JSON for machines."


@command({"prod": PROD, "yes": YES})
def quickstart(c: Context, prod: bool = False, yes: bool = False) -> None:
    """Bring a bare machine to a healthy Odoo: engine, secrets, images, start."""
    session = open_session(c, prod=prod, yes=yes)
    outcome = quick.run(Stack(session.settings, session.runner), session.console)
    session.console.say(f"\nOdoo:     {outcome.url}\nLogin:    {outcome.login}")
    session.console.say(f"Password: the first one is in {outcome.password_file}")


@command({"check": "Only look; fail if a required secret is missing or weak.", "json": JSON})
def secrets(c: Context, check: bool = False, json: bool = False) -> None:
    """Generate the secrets that are missing; keep the others."""
    session = open_session(c)
    folder = session.settings.secrets_folder
    reports = (
        credentials.inspect(folder) if check or session.runner.dry else credentials.ensure(folder)
    )
    rows = [[f"secrets/{r.path.name}", r.state, r.problem or r.purpose] for r in reports]
    session.console.rows(["file", "state", "purpose"], rows, as_json=json)
    if check:
        checks.require(checks.run_all([credentials.preflight(folder)]), "the secrets are not ready")


@command({"prod": PROD})
def up(c: Context, prod: bool = False) -> None:
    """Start the platform and wait until the login page is served."""
    session = open_session(c, prod=prod)
    stack = Stack(session.settings, session.runner)
    preflight = [credentials.preflight(session.settings.secrets_folder)]
    quick.prepare_tls(stack, session.console)
    lifecycle.up(stack, session.console, preflight)
    session.console.say(f"Odoo: {session.settings.url}")


@command({"volumes": "Destroy database, files and sessions too; asks first.", "yes": YES})
def down(c: Context, volumes: bool = False, yes: bool = False) -> None:
    """Stop the platform and remove its containers."""
    session = open_session(c, yes=yes)
    stack = Stack(session.settings, session.runner)
    if not lifecycle.down(stack, session.console, volumes=volumes):
        raise OpsError("nothing was destroyed", "Say yes, or give --yes where nobody can answer.")


@command({"service": "Only this one; all if empty."})
def restart(c: Context, service: str = "") -> None:
    """Restart running services and wait until Odoo can be used."""
    session = open_session(c)
    lifecycle.restart(Stack(session.settings, session.runner), session.console, service)


@command({"json": JSON})
def ps(c: Context, json: bool = False) -> None:
    """List the containers of the platform."""
    session = open_session(c)
    services = Stack(session.settings, session.runner).services()
    rows = [[s.service, s.state, s.health, ", ".join(map(str, s.ports))] for s in services]
    session.console.rows(["service", "state", "health", "ports"], rows, as_json=json)


@command({"service": "Only this one; all if empty.", "tail": "Lines to begin with.",
          "follow": "Keep printing until Ctrl-C."})  # fmt: skip
def logs(c: Context, service: str = "", tail: int = 100, follow: bool = False) -> None:
    """Show the log of one service or of all."""
    session = open_session(c)
    options = ["--tail", str(tail), *(["--follow"] if follow else []), *service.split()]
    Stack(session.settings, session.runner).become("logs", *options)


@command({"service": "Which container."})
def shell(c: Context, service: str = "odoo") -> None:
    """Open a shell in a container."""
    session = open_session(c)
    Stack(session.settings, session.runner).become("exec", service, "bash")


@command({"command": "Run this SQL and leave, instead of an interactive session."})
def psql(c: Context, command: str = "") -> None:
    """Open psql on Odoo's database, as Odoo's role."""
    session = open_session(c)
    options = ["-U", "odoo", "-d", session.settings.database]
    options += ["--set=ON_ERROR_STOP=1", "--command", command] if command else []
    terminal = [] if session.console.interactive else ["-T"]
    Stack(session.settings, session.runner).become("exec", *terminal, "odoo_db", "psql", *options)


@command(name="odoo-shell")
def odoo_shell(c: Context) -> None:
    """Open Odoo's Python shell (`env`) on the database."""
    session = open_session(c)
    terminal = [] if session.console.interactive else ["-T"]
    program = ["odoo", "shell", "-d", session.settings.database, "--no-http"]
    Stack(session.settings, session.runner).become("exec", *terminal, "odoo", *program)


@command({"json": JSON}, name="images")
def images_task(c: Context, json: bool = False) -> None:
    """Pull or build every image that is missing or out of date."""
    session = open_session(c)
    stack = Stack(session.settings, session.runner)
    engine.probe(session.runner)
    images.ensure(stack, session.console, images.BACKUP)
    rows = images.in_use(Stack(open_session(c).settings, session.runner))
    session.console.rows(["variable", "image", "id"], rows, as_json=json)


@command({"json": JSON})
def health(c: Context, json: bool = False) -> None:
    """Check every service; exit code 1 if one is unhealthy."""
    session = open_session(c)
    results = checks.run_all(quick.health_checks(Stack(session.settings, session.runner)))
    if json:
        session.console.json([asdict(result) for result in results])
    else:
        session.console.say("\n".join(report.lines(results, session.console.paint)))
    raise SystemExit(any(result.status is checks.Status.FAILED for result in results))


@command({"json": JSON}, name="list", default=True)
def sessions_list(c: Context, json: bool = False) -> None:
    """Show how many sessions there are, by user and age."""
    session = open_session(c)
    found = sessions.overview(Stack(session.settings, session.runner))
    if json:
        session.console.json({**asdict(found), "sessions": found.sessions})
    else:
        session.console.table(sessions.HEADER, sessions.table(found))
        session.console.say(sessions.summary(found))


@command({"user": "The login whose sessions end.", "yes": YES}, name="revoke")
def sessions_revoke(c: Context, user: str, yes: bool = False) -> None:
    """Log a user out everywhere; asks first."""
    session = open_session(c, yes=yes)
    stack = Stack(session.settings, session.runner)
    ended = sessions.revoke(stack, session.console, user)
    session.console.say(f"{ended} sessions of {user!r} ended")


@command(name="import")
def sessions_import(c: Context) -> None:
    """Move sessions that were kept in files into Redis; a start does it by itself."""
    session = open_session(c)
    moved = sessions.bring_files(Stack(session.settings, session.runner))
    session.console.say(f"{moved} sessions moved")


@command({"mode": "selfsigned or letsencrypt.",
          "domain": "Domains (and, selfsigned, addresses), comma between; if empty, ODOO_DOMAIN.",
          "email": "Where the authority sends warnings; remembered as ACME_EMAIL.",
          "server": "Directory of another ACME authority; if empty, ACME_SERVER.",
          "staging": "Let's Encrypt's test authority, whose certificates nobody trusts.",
          "force": "Replace a certificate that is still good.",
          "trust": "Make this machine trust the private CA; asks first.",
          "untrust": "Take that back.",
          "schedule": "Renew by a systemd timer, or by cron, from now on.",
          "unschedule": "Remove that timer.",
          "yes": YES}, positional=("mode",))  # fmt: skip
def setup_tls(
    c: Context, mode: str = "", domain: str = "", email: str = "", server: str = "",
    staging: bool = False, force: bool = False, trust: bool = False, untrust: bool = False,
    schedule: bool = False, unschedule: bool = False, yes: bool = False,
) -> None:  # fmt: skip
    """Get Nginx a certificate: of a private CA, or from Let's Encrypt."""
    from scripts.tls import cli  # cryptography is slow to import, `inv --list` is not

    session = open_session(c, prod=True, yes=yes)
    names = tuple(domain.split(",")) if domain else ()
    wish = cli.Wish(
        mode, names, email, server, staging, force, trust, untrust, schedule, unschedule
    )
    lines = cli.set_up(Stack(session.settings, session.runner), session.console, wish)
    session.console.say("\n".join(lines))


@command({"force": "Renew although it is not due.", "json": JSON})
def renew_tls(c: Context, force: bool = False, json: bool = False) -> None:
    """Renew the certificate if it is due; exit code 3 if it is not."""
    from scripts.tls import cli, setup

    session = open_session(c, prod=True)
    stack = Stack(session.settings, session.runner)
    renewal, outcome = setup.renew(stack, session.console, force=force)
    cli.show_renewal(session.console, renewal, outcome, as_json=json)
    raise SystemExit(cli.exit_code(renewal))


@command({"plain": "Also write a readable SQL dump into this file.",
          "zip": "Also write what Odoo's database manager restores into this file.",
          "notify": "POST the outcome to this address; with --schedule always (BACKUP_NOTIFY).",
          "schedule": "Make one every night by a systemd timer, or by cron, from now on.",
          "unschedule": "Remove that timer.", "json": JSON},
         name="create", default=True)  # fmt: skip
def backup_create(
    c: Context, plain: str = "", zip: str = "", notify: str = "",
    schedule: bool = False, unschedule: bool = False, json: bool = False,
) -> None:  # fmt: skip
    """Back up database and files of one moment into the repository."""
    session = open_session(c)
    stack, quiet = Stack(session.settings, session.runner), backups.Quiet(session.console)
    if schedule or unschedule:
        return session.console.say(backups.plan(stack, on=schedule, tell=notify))
    made = backups.create(stack, quiet, plain=plain, zipped=zip, tell=notify)
    return backups.show_made(session.console, made, as_json=json)


@command({"json": JSON}, name="list")
def backup_list(c: Context, json: bool = False) -> None:
    """List the complete backups, the oldest first."""
    session = open_session(c)
    found = backups.listed(Stack(session.settings, session.runner), session.console)
    if json:
        session.console.json(backups.as_json(found))
    else:
        session.console.table(backups.HEADER, backups.rows(found))


@command({"id": "Which backup; a unique beginning of its name is enough.", "json": JSON},
         name="show", positional=("id",))  # fmt: skip
def backup_show(c: Context, id: str = "latest", json: bool = False) -> None:
    """Show the manifest of a backup: versions, modules, rows, files."""
    session = open_session(c)
    manifest = backups.show(Stack(session.settings, session.runner), session.console, id)
    if json:
        session.console.json(manifest)
    else:
        session.console.say("\n".join(backups.details(manifest)))


@command({"data": "Read every byte of the repository, too."}, name="check")
def backup_check(c: Context, data: bool = False) -> None:
    """Check that the repository is whole."""
    session = open_session(c)
    count = backups.check(Stack(session.settings, session.runner), session.console, data=data)
    session.console.say(f"The repository is whole; it holds {count} backups")


@command({"keep": "The last one of so many days, weeks, months, years; if empty, BACKUP_KEEP.",
          "dry_run": "Only show which would go.", "json": JSON}, name="prune")  # fmt: skip
def backup_prune(c: Context, keep: str = "", dry_run: bool = False, json: bool = False) -> None:
    """Forget old backups, never the last one, and free their room."""
    session = open_session(c)
    stack, rule = Stack(session.settings, session.runner), keep or session.settings.backup_keep
    gone = backups.prune(stack, session.console, rule, rehearse=dry_run)
    if json:
        return session.console.json(backups.as_json(gone))
    session.console.table(backups.HEADER, backups.rows(gone))
    return session.console.say(f"{len(gone)} {'would be ' if dry_run else ''}forgotten")


@command({"id": "Which backup; a unique beginning of its name is enough.", "json": JSON},
         name="verify", positional=("id",))  # fmt: skip
def backup_verify(c: Context, id: str = "latest", json: bool = False) -> None:
    """Restore a backup beside everything, start Odoo on it, log in, compare; then drop it."""
    session = open_session(c)
    stack, quiet = Stack(session.settings, session.runner), backups.Quiet(session.console)
    certificate = verify.verify(stack, quiet, id)
    if json:
        session.console.json(asdict(certificate))
    else:
        session.console.say(certificate.line)


@command(name="key")
def backup_key(c: Context) -> None:
    """Print the key of the repository, to be kept somewhere else."""
    session = open_session(c)
    session.console.say(backups.key(session.settings))


@command({"source": "A backup, latest, or a FILE.zip of Odoo's or FILE.sql.",
          "to_database": "Another database than the platform's own.",
          "neutralize": "Disarm mail servers, payments and scheduled actions first.",
          "undo": "Go back to what the last restore replaced.", "yes": YES},
         name="restore", positional=("source",))  # fmt: skip
def restore_task(
    c: Context, source: str = "latest", to_database: str = "", neutralize: bool = False,
    undo: bool = False, yes: bool = False,
) -> None:  # fmt: skip
    """Bring a backup back; verified before anything live is touched; asks."""
    session = open_session(c, yes=yes)
    stack = Stack(session.settings, session.runner)
    if undo:
        done = restore.undo(stack, session.console)
    else:
        done = restore.restore(stack, session.console, source, to_database, neutralize=neutralize)
    session.console.say("\n".join(done.lines))


@command({"from_": "The database to copy; if empty, the platform's own.",
          "to": "The name of the copy.", "yes": YES})  # fmt: skip
def clone(c: Context, from_: str = "", to: str = "staging", yes: bool = False) -> None:
    """Copy a database, neutralised and scanned for what could still reach somebody."""
    session = open_session(c, yes=yes)
    stack = Stack(session.settings, session.runner)
    done = restore.clone(stack, session.console, from_, to)
    session.console.say("\n".join(done.lines))


@command({"require_docker": "Fail where no engine can be had, instead of skipping.",
          "only": "unit, static or e2e; all if empty.",
          "pytest": "More options for pytest, as one string."})  # fmt: skip
def test(c: Context, require_docker: bool = False, only: str = "", pytest: str = "") -> None:
    """Lint, type-check and run the tests; CI=true implies --require-docker."""
    session = open_session(c)
    stack = Stack(session.settings, session.runner)
    required = require_docker or session.settings.ci
    raise SystemExit(testing.run(stack, session.console, required, only, pytest.split()))


@command()
def lock(c: Context) -> None:
    """Resolve requirements/*.in into lock files with hashes."""
    session = open_session(c)
    testing.lock(session.settings.root, session.runner, session.console)


namespace = Collection(
    quickstart, secrets, up, down, restart, ps, logs, shell, psql, odoo_shell, images_task,
    health, setup_tls, renew_tls, restore_task, clone, test, lock,
    Collection(
        "backup", backup_create, backup_list, backup_show, backup_check, backup_prune,
        backup_verify, backup_key,
    ),
    Collection("sessions", sessions_list, sessions_revoke, sessions_import),
)  # fmt: skip
