"""The settings as a whole: what holds, where it comes from, and what is wrong with it."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts.core import env_example, notification, redact, sizes
from scripts.core.errors import UsageError
from scripts.core.monitoring_settings import BIND
from scripts.core.settings import (
    EVERYWHERE,
    LETSENCRYPT,
    Settings,
    WrongSettingsError,
    sources,
)
from scripts.core.sources import Sources
from scripts.core.values import Values

_COMPOSE_FILES: Final = ("compose*.y*ml", "docker-compose*.y*ml")
# Docker's own, of which there are more every year, and the one that `inv test` goes by.
_FOREIGN: Final = re.compile(r"(COMPOSE|DOCKER|BUILDKIT|BUILDX)_.*|CI")
_NEAR: Final = 0.8  # as difflib counts
_NEAR_COMPOSE: Final = 0.9  # COMPOSE_PROFILES is no misspelt COMPOSE_PROJECT_NAME


@dataclass(frozen=True)
class Variable:
    """A setting as it holds."""

    name: str
    value: str  # without secrets
    source: str  # default, .env or environment


@dataclass
class Report:
    """What is wrong with the settings."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """For people."""
        found = [*(f"error: {e}" for e in self.errors), *(f"warning: {w}" for w in self.warnings)]
        return found or ["no problem was found"]


def variables(settings: Settings) -> list[Variable]:
    """Every variable of `.env.example`; raises UsageError where that file is missing."""
    shown = env_example.variables()
    if not shown:
        raise UsageError(".env.example is missing", "Get it back: git checkout .env.example")
    found, defaults = sources(settings.root), _defaults(settings, shown)
    mask, rows = redact.redactor(settings.secrets_folder), []
    for name in shown:
        default, may_be_empty = defaults[name]
        value = found.merged.get(name)
        used = bool(value) or (value is not None and may_be_empty)
        text = redact.variable(name, (value or "") if used else default)
        rows.append(Variable(name, mask(text), found.of(name) if used else "default"))
    return rows


def _defaults(settings: Settings, shown: Mapping[str, str]) -> dict[str, tuple[str, bool]]:
    """Default, and whether an empty value is one: production's differ from those shown."""
    text = "".join(path.read_text() for path in settings.compose_files if path.is_file())
    text = re.sub(r"\$\{COMPOSE_PROJECT_NAME:-[^}]*\}", settings.project, text)
    text = re.sub(r":-\$\{\w+:-([^}]*)\}\}", r":-\1}", text)  # another one is the default
    written = {
        name: (sign, word)
        for name, sign, word in re.findall(r"(?<!\$)\$\{(\w+)(:?-)([^}]*)\}", text)
    }
    found = {}
    for name, default in shown.items():
        sign, word = written.get(name, (":-", default))
        # Where none is shown, what stands in the file (/dev/null) is no value to write.
        found[name] = (word if default else default, sign == "-")
    return found | {"PLATFORM_ENV": (settings.environment.value, False)}


def examine(root: Path, *, prod: bool = False) -> Report:
    """Everything that is wrong, at once."""
    report = Report()
    try:
        found = sources(root)
    except UsageError as error:  # neither can Compose read it
        return Report(errors=[error.message])
    try:
        settings = Settings.load(root, prod=prod)
    except WrongSettingsError as error:
        report.errors += error.problems
    else:
        _contradictions(settings, found, report)
    _names(root, found, report)
    return report


def require(settings: Settings, *, supabase: bool = False) -> Report:
    """What a start has to know; raises UsageError with everything that speaks against it."""
    report, found = Report(), sources(settings.root)
    _contradictions(settings, found, report, supabase=supabase)
    _names(settings.root, found, report)
    if report.errors:
        raise UsageError(
            "wrong settings: " + "; ".join(report.errors),
            f"Correct them in {settings.env_file} or in the environment; `inv config` shows all.",
        )
    return report


def _contradictions(
    settings: Settings, found: Sources, report: Report, *, supabase: bool = False
) -> None:
    report.errors += _ports(settings, supabase=supabase)
    report.errors += _memory(found)
    if settings.tls:  # development runs Odoo without workers, and PostgreSQL as it is
        errors, warnings = _sizes(settings, found)
        report.errors += errors
        report.warnings += warnings
    report.errors += _other_files(settings, found)
    report.errors += _unknown_services(settings)
    values = found.effective
    if settings.tls and "ODOO_DOMAIN" not in values:
        report.warnings.append("production without ODOO_DOMAIN answers to localhost only")
    if settings.backups_elsewhere and "BACKUP_FOLDER" in values:
        report.warnings.append("BACKUP_FOLDER has no effect where BACKUP_REPOSITORY is set")
    if settings.supabase_host and not settings.supabase_ref:
        report.warnings.append("SUPABASE_CLOUD_HOST has no effect without SUPABASE_PROJECT_REF")
    if settings.mail.user and not settings.mail.host:
        report.warnings.append("SMTP_USER has no effect without SMTP_HOST")
    if values.get("ACME_CA_FILE") and settings.acme_server == LETSENCRYPT:
        report.warnings.append(
            "with ACME_CA_FILE, certbot does not trust Let's Encrypt, which ACME_SERVER names"
        )


def _sizes(settings: Settings, found: Sources) -> tuple[list[str], list[str]]:
    count = settings.replicas
    return sizes.contradictions(sizes.present(settings.root, found, count), count)


def _ports(settings: Settings, *, supabase: bool) -> Iterator[str]:
    """The ports that this start publishes, and are the same."""
    published = [("NGINX_HTTP_PORT", settings.bind, settings.http_port)]
    if settings.tls:
        published.append(("NGINX_HTTPS_PORT", settings.bind, settings.https_port))
    else:
        published.append(("ODOO_PORT", settings.odoo_bind, settings.odoo_port))
        published.append(("MAIL_PORT", settings.mail.bind, settings.mail.port))
        if settings.debug:
            published.append(("ODOO_DEBUG_PORT", "127.0.0.1", settings.debug_port))
        if supabase:
            published.append(("POSTGREST_PORT", settings.postgrest_bind, settings.postgrest_port))
    if settings.monitoring.wanted:
        monitoring = settings.monitoring
        published.append(("PROMETHEUS_PORT", BIND, monitoring.prometheus_port))
        published.append(("ALERTMANAGER_PORT", BIND, monitoring.alertmanager_port))
    if settings.clone.served:
        published.append(("CLONE_PORT", settings.clone.bind, settings.clone.port))
    for place, (name, bind, port) in enumerate(published):
        for other, other_bind, other_port in published[:place]:
            same = bind == other_bind or {bind, other_bind} & {EVERYWHERE, "::"}
            if port == other_port and same:
                yield f"{other} and {name} are both {port}, which only one of them can be"


def _memory(found: Sources) -> Iterator[str]:
    values, shown = Values(found.effective), env_example.variables()
    names = ("REDIS_MEMORY", "REDIS_MAXMEMORY")
    if not shown.keys() >= set(names):
        return
    limit, most = (
        values.memory(names[0], shown[names[0]]),
        values.redis_memory(names[1], shown[names[1]]),
    )
    if limit and (not most or most >= limit):
        yield (
            f"{names[1]}={values.text(names[1], shown[names[1]])} leaves Redis no room in"
            f" {names[0]}={values.text(names[0], shown[names[0]])}; half of it is right"
        )


def _other_files(settings: Settings, found: Sources) -> Iterator[str]:
    """Variables of the environment by which Compose reads something else than `.env`."""
    said = "Docker Compose would not read .env, as `inv` does; unset it"
    files = found.environment.get("COMPOSE_ENV_FILES", "")
    if files and (settings.root / files).resolve() != settings.env_file.resolve():
        yield f"COMPOSE_ENV_FILES is set in the environment: {said}"
    if found.environment.get("COMPOSE_DISABLE_ENV_FILE", "").lower() in ("1", "t", "true"):
        yield f"COMPOSE_DISABLE_ENV_FILE is set in the environment: {said}"


def _unknown_services(settings: Settings) -> Iterator[str]:
    """Addresses by which nobody could be told anything."""
    alarms = settings.alarms
    for name, targets in (("BACKUP_NOTIFY", alarms.backup), ("HEALTH_NOTIFY", alarms.health)):
        yield from (f"{name}: {said}" for t in targets if (said := notification.problem_of(t)))


def _names(root: Path, found: Sources, report: Report) -> None:
    """Names in `.env` that nobody reads, or that do not say what they seem to."""
    known, stored = env_example.variables(), found.stored
    used = stored.references | _used(root)
    for name in stored.values:
        if name in known or name in used or not known:
            continue
        if near := _near(name, list(known)):
            report.errors.append(f"{name} in .env is unknown; did you mean {near}?")
        elif not _FOREIGN.fullmatch(name):
            report.warnings.append(f"{name} in .env is unknown, and no compose file uses it")
    for name in sorted(stored.repeated):
        report.warnings.append(f"{name} is more than once in .env; the last line holds")
    for name in sorted(stored.bare - found.environment.keys()):
        report.warnings.append(f"{name} stands in .env without a value, which has no effect")
    for name, owner in stored.unset.items():
        report.warnings.append(
            f"{owner} in .env refers to ${name}, which has no value; a dollar sign itself is $$"
        )


def _used(root: Path) -> set[str]:
    """What compose files here refer to, those of the user's own as well."""
    files = [path for pattern in _COMPOSE_FILES for path in root.glob(pattern) if path.is_file()]
    text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
    return set(re.findall(r"\$\{?(\w+)", text))


def _near(name: str, known: list[str]) -> str:
    cutoff = _NEAR_COMPOSE if _FOREIGN.fullmatch(name) else _NEAR
    return next(iter(difflib.get_close_matches(name.upper(), known, n=1, cutoff=cutoff)), "")
