"""Stand-ins for what unit tests must not touch: processes and the person at the keyboard."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Unpack

from scripts.core.alarm_settings import AlarmSettings
from scripts.core.archive_settings import ArchiveSettings
from scripts.core.clone_settings import CloneSettings
from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.core.mail_settings import MailSettings
from scripts.core.monitoring_settings import MonitoringSettings
from scripts.core.postgres_settings import PostgresSettings, TlsMode
from scripts.core.process import CommandFailedError, RunOptions
from scripts.core.redis_settings import RedisSettings
from scripts.core.settings import LETSENCRYPT, Environment, ImageSource, Settings
from scripts.core.swarm_settings import SwarmSettings
from tests.unit.support import containers

NO_ALARMS = AlarmSettings()
OWN_POSTGRES = PostgresSettings("", 5432, "odoo", TlsMode.VERIFY_FULL, "")
ELSEWHERE = PostgresSettings("db.test", 6432, "shop", TlsMode.VERIFY_FULL, "ca.pem")
OWN_REDIS = RedisSettings("", 6379, "", True, "", (), "")
REDIS_ELSEWHERE = RedisSettings("redis.test", 6380, "shop", True, "ca.pem", (), "")
NO_ARCHIVE = ArchiveSettings(False, 14, 8)
NO_MONITORING = MonitoringSettings(False, 9090, 9093)
NO_CLONE = CloneSettings("", "localhost", "127.0.0.1", 8070, ())


class ReplacedError(Exception):
    """Raised where the real runner would have become another program."""


def says(stdout: str = "", *, code: int = 0, stderr: str = "") -> Completed:
    """The answer of a process."""
    return Completed((), code, stdout, stderr)


@dataclass
class FakeProcess:
    """A process that prints its lines whatever is written to it, and remembers that.

    A `lasting` one that succeeds ends when it is told something, or is left.
    """

    answer: Completed
    lines: list[str]
    written: list[str] = field(default_factory=list)
    ended: bool = False
    left: bool = False
    lasting: bool = False
    finished: threading.Event = field(default_factory=threading.Event)

    def read_line(self) -> str:
        if not self.lines and self.lasting:
            self.finished.wait(60)
        return self.lines.pop(0) if self.lines else ""

    def write_line(self, line: str) -> None:
        self.written.append(line)
        self.finished.set()

    def leave(self) -> None:
        self.left = True
        self.finished.set()

    def end(self) -> Completed:
        rest, self.lines = self.lines, []
        self.ended = True
        self.leave()
        return Completed((), self.answer.code, "\n".join(rest), self.answer.stderr)


@dataclass
class FakeRunner:
    """Records calls; answers with the longest of `answers` that the command line begins with.

    Where the files of a `docker compose` call are does not matter to an answer. What has none
    succeeds silently. "docker ps" stands for rows of containers.py; the id of a container is
    the name of its service.
    """

    answers: dict[str, Completed | OpsError] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)
    changing: list[list[str]] = field(default_factory=list)
    processes: list[FakeProcess] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)  # on standard input
    lasting: tuple[str, ...] = ()  # what such processes begin with
    dry: bool = False

    def run(self, argv: Sequence[str], **options: Unpack[RunOptions]) -> Completed:
        self.calls.append(list(argv))
        if given := options.get("stdin"):
            self.inputs.append(str(given))
        if options.get("changes"):
            self.changing.append(list(argv))
        answer = self._answer(argv)
        if isinstance(answer, OpsError):
            raise answer
        done = Completed(tuple(argv), answer.code, answer.stdout, answer.stderr)
        if on_line := options.get("on_line"):
            for line in done.stderr.splitlines():
                on_line(line)
        if stdout := options.get("stdout"):
            stdout.write((done.stdout + done.stderr).encode())
        if options.get("check", True) and not done.ok:
            raise CommandFailedError(done)
        return done

    @contextmanager
    def interact(
        self, argv: Sequence[str], on_stderr: Callable[[str], None] = lambda _: None
    ) -> Iterator["FakeProcess"]:
        """A process that prints the lines of its answer, and ends with it."""
        self.calls.append(list(argv))
        answer = self._answer(argv)
        if isinstance(answer, OpsError):
            raise answer
        lasting = not answer.code and command_line(argv).startswith(self.lasting or ("?",))
        process = FakeProcess(answer, answer.stdout.splitlines(), lasting=lasting)
        self.processes.append(process)
        for line in answer.stderr.splitlines():
            on_stderr(line)
        try:
            yield process
        finally:
            process.end()

    def replace_process(self, argv: Sequence[str]) -> NoReturn:
        self.calls.append(list(argv))
        raise ReplacedError(argv)

    def detach(self, argv: Sequence[str], log: Path) -> int:
        self.calls.append(list(argv))
        return 1

    def ran(self, prefix: str) -> bool:
        """Whether a command line that begins with `prefix` was run."""
        return any(command_line(argv).startswith(prefix) for argv in self.calls)

    def _answer(self, argv: Sequence[str]) -> Completed | OpsError:
        line = command_line(argv)
        if line.startswith(("docker ps --quiet", "docker container inspect")):
            return containers.listed(line, self._containers())
        if line.startswith("docker image inspect"):
            asked = [self._answer_to(command_line([*argv[:5], image])) for image in argv[5:]]
            return next((one for one in asked if isinstance(one, OpsError)), _joined(asked))
        return self._answer_to(line)

    def _containers(self) -> Completed | OpsError:
        return self._answer_to("docker ps")

    def _answer_to(self, line: str) -> Completed | OpsError:
        matching = [prefix for prefix in self.answers if line.startswith(prefix)]
        return self.answers[max(matching, key=len)] if matching else says()


def command_line(argv: Sequence[str]) -> str:
    """The words of `argv`, without those that do not matter to an answer."""
    words = iter(argv)
    kept = []
    for word in words:
        if word in ("--project-directory", "--file", "--name"):
            next(words)
        elif word != "--interactive":
            kept.append(word)
    return " ".join(kept)


def _joined(answers: Sequence[Completed | OpsError]) -> Completed:
    """The answer of a program to several questions, which fails with one of them."""
    told = [answer for answer in answers if isinstance(answer, Completed)]
    lines = "".join(f"{answer.stdout.strip()}\n" for answer in told)
    return says(lines, code=max(answer.code for answer in told))


@dataclass
class FakeReporter:
    """Remembers what was said; answers questions with `answer`."""

    answer: bool = True
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    live: bool = False
    told: list[tuple[str, float | None]] = field(default_factory=list)

    def progress(self, doing: str, percent: float | None = None) -> None:
        self.told.append((doing, percent))

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.said.append(title)
        yield

    def note(self, text: str) -> None:
        self.said.append(text)

    def confirm(self, question: str, *, unattended: bool) -> bool:
        self.asked.append(question)
        return self.answer


def settings_in(
    root: Path,
    *,
    environment: Environment = Environment.DEV,
    image_source: ImageSource = ImageSource.AUTO,
    images: Mapping[str, str] | None = None,
    http_port: int = 80,
    odoo_port: int = 8069,
    debug: bool = False,
    bind: str = "127.0.0.1",
    domains: tuple[str, ...] = ("localhost",),
    https_port: int = 443,
    acme_server: str = LETSENCRYPT,
    acme_email: str = "",
    health_seconds: float = 5,
    odoo_package: str = "",
    odoo_version: str = "",
    odoo_enterprise: str = "",
    mail_port: int = 8025,
    smtp_host: str = "",
    smtp_user: str = "",
    clone: CloneSettings = NO_CLONE,
    alarms: AlarmSettings = NO_ALARMS,
    monitoring: MonitoringSettings = NO_MONITORING,
    archive: ArchiveSettings = NO_ARCHIVE,
    replicas: int = 0,
    postgres: PostgresSettings = OWN_POSTGRES,
    redis: RedisSettings = OWN_REDIS,
) -> Settings:
    """Settings of an installation in `root`."""
    return Settings(
        root=root,
        environment=environment,
        project="ipai-platform",
        database="odoo",
        bind=bind,
        domains=domains,
        aliases="redirect",
        odoo_package=odoo_package,
        odoo_enterprise=odoo_enterprise,
        odoo_version=odoo_version,
        acme_server=acme_server,
        acme_email=acme_email,
        http_port=http_port,
        https_port=https_port,
        odoo_bind="127.0.0.1",
        backup_repository="/repository",
        backup_folder=root / "backups",
        backup_keep="7d,5w,12m",
        archive=archive,
        replicas=replicas,
        postgres=postgres,
        redis=redis,
        alarms=alarms,
        swarm=SwarmSettings(registry="", filestore=":/srv/odoo"),
        odoo_port=odoo_port,
        debug=debug,
        debug_port=5678,
        postgrest_bind="127.0.0.1",
        postgrest_port=3000,
        mail=MailSettings("127.0.0.1", mail_port, smtp_host, smtp_user, ""),
        clone=clone,
        monitoring=monitoring,
        supabase_ref="",
        supabase_host="",
        image_source=image_source,
        health_seconds=health_seconds,
        images=images or {},
        ci=False,
        test_package="",
    )
