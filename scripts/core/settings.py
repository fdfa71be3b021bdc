"""Everything that differs between machines, read once from `.env` and the environment."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.core import compose_files, env_file, sizes
from scripts.core.alarm_settings import AlarmSettings
from scripts.core.archive_settings import ArchiveSettings
from scripts.core.clone_settings import CloneSettings
from scripts.core.errors import UsageError
from scripts.core.mail_settings import MailSettings
from scripts.core.monitoring_settings import MonitoringSettings
from scripts.core.postgres_settings import PostgresSettings
from scripts.core.redis_settings import RedisSettings
from scripts.core.sources import Sources
from scripts.core.swarm_settings import SwarmSettings
from scripts.core.values import HOST, Values, check_what_compose_reads
from toolbox.contract.names import DATABASE_NAME

ROOT: Final = Path(__file__).resolve().parents[2]
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - a production server is meant to be reached
LETSENCRYPT: Final = "https://acme-v02.api.letsencrypt.org/directory"
HTTPS: Final = 443
REPOSITORY: Final = "/repository"  # where the container of backups finds BACKUP_FOLDER
RULE: Final = r"\d+[dwmy](,\d+[dwmy])*"  # how many days, weeks, months, years
# Docker has no other names of images, of which it is a part.
_PROJECT: Final = r"[a-z0-9]+((_|__|-+)[a-z0-9]+)*"
_PROJECT_WORDS: Final = "lower-case letters and digits, with -, _ or __ between"
PROJECT: Final = "ipai-platform"  # unless COMPOSE_PROJECT_NAME says otherwise
# Oftener is a load of its own; more seldom, what ends is not seen for too long.
_HEALTH: Final = (1.0, 300.0)
_REPLICAS: Final = (0, 64)
_TRUTHS: Final = {"1", "true", "yes", "on"}


class Environment(StrEnum):
    """Which environment of the platform runs."""

    DEV = "dev"
    PROD = "prod"


class Told(StrEnum):
    """By what the environment was chosen."""

    DEFAULT = "default"
    SETTING = "setting"  # PLATFORM_ENV
    FLAG = "flag"


class ImageSource(StrEnum):
    """Where container images come from."""

    AUTO = "auto"
    REGISTRY = "registry"
    DEBIAN = "debian"


@dataclass(frozen=True)
class Settings:
    """One installation. Passed explicitly, never global."""

    root: Path
    environment: Environment
    project: str
    database: str
    domains: tuple[str, ...]  # names of the production site; the first is its address
    aliases: str  # what the others do: redirect or serve
    acme_server: str
    acme_email: str
    bind: str
    http_port: int
    https_port: int
    odoo_bind: str
    odoo_port: int
    debug: bool  # whether Odoo lets a debugger attach; never in production
    debug_port: int
    postgrest_bind: str
    postgrest_port: int
    mail: MailSettings
    clone: CloneSettings
    monitoring: MonitoringSettings
    postgres: PostgresSettings
    redis: RedisSettings  # of the sessions
    supabase_ref: str  # of the project in Supabase Cloud; '' if there is none
    supabase_host: str  # its database, with an optional port
    backup_repository: str
    backup_folder: Path
    backup_keep: str
    archive: ArchiveSettings
    alarms: AlarmSettings
    swarm: SwarmSettings
    image_source: ImageSource
    odoo_package: str  # a Debian package or a checkout of Odoo; '' if there is none
    odoo_enterprise: str  # a checkout of Odoo Enterprise; '' if there is none
    odoo_version: str  # the only one that will do, such as 18; '' if any does
    replicas: int  # containers of Odoo in production; 0 for one that does everything
    health_seconds: float  # between two of Docker's health checks of a container
    images: Mapping[str, str]  # values of the *_IMAGE variables that are set
    ci: bool
    test_package: str  # the Odoo that `inv test` is to run on; '' for that of the platform
    told: Told = Told.DEFAULT  # by what `environment` was chosen
    in_swarm: bool = False  # Docker Swarm runs it, with compose files of its own

    @property
    def compose_files(self) -> tuple[Path, ...]:
        """The compose files of the environment, in the order Compose merges them."""
        names = compose_files.names(
            production=self.environment is Environment.PROD,
            replicas=bool(self.replicas),
            debug=self.debug,
            swarm=self.in_swarm,
            database=self.postgres.external,
            redis=self.redis.external,
        )
        return tuple(self.root / name for name in names)

    @property
    def odoo_services(self) -> tuple[str, ...]:
        """Those that serve the database: stopped, started and restarted together."""
        apart = self.replicas and self.environment is Environment.PROD
        return ("odoo", "odoo_cron", "odoo_websocket") if apart else ("odoo",)

    @property
    def env_file(self) -> Path:
        """The `.env` that Docker Compose reads as well."""
        return self.root / ".env"

    @property
    def secrets_folder(self) -> Path:
        """Where the secret files are."""
        return self.root / "secrets"

    @property
    def state_folder(self) -> Path:
        """Locks and logs of `inv` itself; may be deleted at any time."""
        return self.root / ".state"

    @property
    def backups_elsewhere(self) -> bool:
        """Whether the repository of backups is on another machine."""
        return not self.backup_repository.startswith("/")

    @property
    def certificates(self) -> Path:
        """What Nginx sees of certificates; the one in use is in its folder `current`."""
        return self.root / "nginx" / "certs"

    @property
    def tls(self) -> bool:
        """Whether Nginx speaks HTTPS."""
        return self.environment is Environment.PROD

    @property
    def url(self) -> str:
        """Where a browser finds Nginx: on this machine in dev, by its domain in prod."""
        if self.tls:
            suffix = "" if self.https_port == HTTPS else f":{self.https_port}"
            return f"https://{self.domains[0]}{suffix}"
        host = "localhost" if self.bind in (EVERYWHERE, "127.0.0.1", "::") else self.bind
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}" + ("" if self.http_port == 80 else f":{self.http_port}")

    @classmethod
    def load(
        cls, root: Path = ROOT, *, prod: bool = False, dev: bool = False, debug: bool = False
    ) -> "Settings":
        """Read `root/.env` and the environment, which wins as it does in Compose.

        `prod` and `dev` win over both. Raises UsageError naming *every* wrong value, and
        for a debugger in production.
        """
        values = Values(sources(root).effective)
        environment, told = _environment(values, prod=prod, dev=dev)
        postgres = PostgresSettings.read(values)
        settings = cls(
            root=root,
            environment=environment,
            project=values.matching("COMPOSE_PROJECT_NAME", PROJECT, _PROJECT, _PROJECT_WORDS),
            database=values.matching(
                "ODOO_DATABASE",
                "odoo",
                DATABASE_NAME,
                "lower-case letters, digits and underscores, or belongs to the platform",
            ),
            domains=values.hosts("ODOO_DOMAIN", "localhost"),
            aliases=values.matching(
                "ODOO_ALIASES", "redirect", "redirect|serve", "redirect or serve"
            ),
            acme_server=values.matching(
                "ACME_SERVER", LETSENCRYPT, r"https://\S+", "an address with https://"
            ),
            acme_email=values.matching("ACME_EMAIL", "", r"([^@\s]+@[^@\s]+)?", "a mail address"),
            bind=values.address(
                "NGINX_BIND", EVERYWHERE if environment is Environment.PROD else "127.0.0.1"
            ),
            http_port=values.port("NGINX_HTTP_PORT", 80),
            https_port=values.port("NGINX_HTTPS_PORT", HTTPS),
            odoo_bind=values.address("ODOO_BIND", "127.0.0.1"),
            odoo_port=values.port("ODOO_PORT", 8069),
            debug=debug,
            debug_port=values.port("ODOO_DEBUG_PORT", 5678),
            postgrest_bind=values.address("POSTGREST_BIND", "127.0.0.1"),
            postgrest_port=values.port("POSTGREST_PORT", 3000),
            mail=MailSettings.read(values),
            clone=CloneSettings.read(values),
            monitoring=MonitoringSettings.read(values),
            postgres=postgres,
            redis=RedisSettings.read(values),
            supabase_ref=values.matching(
                "SUPABASE_PROJECT_REF", "", r"([a-z0-9]{20})?", "20 lower-case letters and digits"
            ),
            supabase_host=values.matching(
                "SUPABASE_CLOUD_HOST", "", rf"({HOST}(:\d{{1,5}})?)?", "HOST or HOST:PORT"
            ),
            backup_repository=values.matching(
                "BACKUP_REPOSITORY",
                REPOSITORY,
                rf"{REPOSITORY}|(s3|sftp|rest|rclone|b2):\S+",
                f"{REPOSITORY} or a place that begins with s3:, sftp:, rest:, rclone: or b2:",
            ),
            backup_folder=root / Path(values.path("BACKUP_FOLDER", "./backups")).expanduser(),
            backup_keep=values.matching(
                "BACKUP_KEEP", "7d,5w,12m", RULE, "numbers of d, w, m or y with commas between"
            ),
            archive=ArchiveSettings.read(
                values, default=environment is Environment.PROD and not postgres.external
            ),
            alarms=AlarmSettings.read(values),
            swarm=SwarmSettings.read(values),
            image_source=values.choice("IMAGE_SOURCE", ImageSource.AUTO),
            odoo_package=values.path("ODOO_PACKAGE", ""),
            odoo_enterprise=values.path("ODOO_ENTERPRISE", ""),
            odoo_version="",
            replicas=values.count("ODOO_REPLICAS", "0", _REPLICAS),
            health_seconds=values.duration("HEALTH_INTERVAL", "5s", _HEALTH),
            images=values.ending_in("_IMAGE"),
            ci=values.text("CI", "").lower() in _TRUTHS,
            test_package=os.environ.get("IPAI_ODOO_PACKAGE", ""),
            told=told,
        )
        check_what_compose_reads(values)
        sizes.check(values)
        if values.problems:
            raise WrongSettingsError(values.problems, root)
        if debug and environment is Environment.PROD:
            raise no_debugger()
        return settings


class WrongSettingsError(UsageError):
    """Settings with wrong values; `problems` has each of them."""

    def __init__(self, problems: Sequence[str], root: Path) -> None:
        super().__init__(
            "wrong settings: " + "; ".join(problems),
            f"Correct them in {root / '.env'} or in the environment; .env.example explains each.",
        )
        self.problems = tuple(problems)


def sources(root: Path = ROOT) -> Sources:
    """What `root/.env` and the environment say; raises UsageError where it cannot be read."""
    environment = dict(os.environ)
    return Sources(env_file.parse(root / ".env", environment), environment)


def _environment(values: Values, *, prod: bool, dev: bool) -> tuple[Environment, Told]:
    if prod and dev:
        raise UsageError("--prod and --dev exclude each other")
    chosen = values.choice("PLATFORM_ENV", Environment.DEV)
    if prod or dev:
        return Environment.PROD if prod else Environment.DEV, Told.FLAG
    return chosen, Told.SETTING if values.text("PLATFORM_ENV", "") else Told.DEFAULT


def no_debugger() -> UsageError:
    """The error for a debugger in production."""
    return UsageError(
        "there is no debugger in production",
        "It can run any program as Odoo. Where production does not run: inv up --dev --debug",
    )


def peek(name: str, root: Path = ROOT) -> str:
    """One setting, of the environment or of `root/.env`, unchecked; '' where it cannot be read."""
    try:
        return sources(root).effective.get(name, "")
    except UsageError:
        return ""


def fixed(name: str) -> bool:
    """Whether the environment decides on `name`, whatever `.env` says."""
    return name in os.environ
