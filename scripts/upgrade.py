"""`inv upgrade`: from the version that runs to that of the files in this folder."""

from dataclasses import dataclass, replace

from scripts import checkup, startup
from scripts.backups import repository
from scripts.core import configuration, env_file
from scripts.core.checks import require, run_all
from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.modules import change, listing
from scripts.stack import image_facts, image_names, images, release
from scripts.stack.compose import Stack
from scripts.supabase import migrations
from scripts.supabase.database import Database, Target
from toolbox.contract.changes import ChangeRequest


@dataclass(frozen=True)
class UpgradePlan:
    """What an upgrade would change."""

    started: str  # the version that was started last; '' where that is not known
    here: str
    images: tuple[str, ...]  # services that run on another image than they would get
    new_settings: tuple[str, ...]  # variables that .env.example did not have
    gone_settings: tuple[str, ...]  # those in .env that nothing reads any more
    modules: tuple[str, ...]  # installed ones whose files have changed
    migrations: tuple[str, ...]  # of the local Supabase
    checked: bool  # whether modules and migrations could be asked for

    @property
    def empty(self) -> bool:
        """Whether what runs is what is here."""
        changes = self.images or self.modules or self.migrations or not self.checked
        return self.started == self.here and not changes

    @property
    def lines(self) -> list[str]:
        """For people."""
        parts = (
            ("Services on an older image", self.images),
            ("Settings that are new (see .env.example)", self.new_settings),
            ("Settings in .env that nothing reads any more", self.gone_settings),
            ("Modules to update", self.modules),
            ("Migrations of the local Supabase", self.migrations),
        )
        lines = [f"Started last: {self.started or 'not known'}", f"Here:         {self.here}"]
        lines += [f"{title}: {', '.join(names)}" for title, names in parts if names]
        if not self.checked:
            lines.append("The platform is down: modules and migrations were not looked at")
        return lines


def plan(stack: Stack, reporter: Reporter) -> UpgradePlan:
    """What an upgrade would change; changes nothing."""
    before, here = release.started(stack.settings), release.here(stack.settings, stack.runner)
    own = set(release.variables(env_file.text(stack.settings.env_file)))
    known = before.settings if before else here.settings
    running = _running(stack)
    return UpgradePlan(
        started=before.name if before else "",
        here=here.name,
        images=_outdated(stack),
        new_settings=tuple(name for name in here.settings if name not in known),
        gone_settings=tuple(name for name in known if name in own and name not in here.settings),
        modules=_modules(stack, reporter) if "odoo_db" in running else (),
        migrations=_migrations(stack) if "supabase_db" in running else (),
        checked="odoo_db" in running,
    )


def _running(stack: Stack) -> dict[str, str]:
    """The services that run, and the names of their containers."""
    found = (s for s in stack.services() if s.state == "running" and not s.oneoff)
    return {service.service: service.name for service in found}


def _outdated(stack: Stack) -> tuple[str, ...]:
    """The services whose container was made of another image than its name stands for now."""
    running = _running(stack)
    if not running:
        return ()
    form = "{{.Image}} {{.Config.Image}}"
    inspect = ["docker", "container", "inspect", "--format", form, *running.values()]
    rows = [line.split() for line in stack.runner.run(inspect, timeout=60).stdout.splitlines()]
    wanted = set(image_names.effective(stack.settings).values())
    now = image_facts.ids(stack.runner, [name for _, name in rows])
    return tuple(
        service
        for service, (used, name), current in zip(running, rows, now, strict=True)
        if used != current or name not in wanted
    )


def _modules(stack: Stack, reporter: Reporter) -> tuple[str, ...]:
    found = listing.find(stack, reporter, "")
    return tuple(module.name for module in found if module.changed)


def _migrations(stack: Stack) -> tuple[str, ...]:
    state = migrations.state(Database(stack, Target.LOCAL))
    return tuple(migration.name for migration in state.pending)


def upgrade(stack: Stack, reporter: Reporter, found: UpgradePlan) -> list[str]:
    """Images, a backup, start, modules, health, if the person agrees; lines for people.

    Nothing of the running platform is touched before the backup is made. Raises OpsError at the
    first step that fails, with the way back.
    """
    if found.empty:
        return ["There is nothing to upgrade"]
    configuration.require(stack.settings)  # before anybody is asked
    if not reporter.confirm("Back up, and upgrade?", unattended=False):
        hint = "Say yes, or give --yes where nobody can answer."
        raise OpsError("nothing was upgraded", hint)
    used = images.ensure(stack, reporter, image_names.BACKUP)
    settings = replace(stack.settings, images={**stack.settings.images, **used})
    stack = replace(stack, settings=settings)
    running = _running(stack)
    made = ""
    if "odoo_db" in running:
        with reporter.step("Backing up"):
            made = repository.make(stack, reporter).id
    try:
        lines = list(startup.up(stack, reporter, supabase="supabase_db" in running))
        request = ChangeRequest(changed=True)
        lines += change.change(stack, reporter, request, "upgrade").lines
        healthy = run_all(checkup.checks(stack, checkup.PATIENT))
        require(healthy, "the platform is up, but not healthy")
    except OpsError as error:
        back = f"The backup of before: inv restore {made}" if made else ""
        raise OpsError(error.message, f"{error.hint} {back}".strip()) from error
    return [*lines, f"Backup of before: {made}"] if made else lines
