"""Starting and stopping the platform as a whole."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from scripts.core.checks import Check, Status, require, run_all
from scripts.core.errors import OpsError
from scripts.core.files import file_lock
from scripts.core.process import CommandFailedError
from scripts.core.report import Reporter
from scripts.core.settings import Environment, Settings
from scripts.stack import (
    archiver,
    debugger,
    engine,
    environments,
    external_servers,
    identity,
    images,
    login_page,
    nginx_configuration,
    readiness,
)
from scripts.stack import preflight as host_checks
from scripts.stack.compose import Stack
from scripts.stack.diagnosis import LOG_LINES, PAGE_NEEDS, again_and_again, diagnose
from scripts.stack.start_watch import USABLE_SECONDS, Watch, was_stopped

START_SECONDS: Final = 600  # of a first start, with the database made on a slow disk
_STOP_SECONDS: Final = 180  # more than each stop_grace_period of Odoo's


def lock(settings: Settings) -> Path:
    """Held by whatever starts, stops or restarts the platform, or must not see that happen."""
    return settings.state_folder / "lock"


def up(stack: Stack, reporter: Reporter, extra_checks: Sequence[Check] = ()) -> None:
    """Start the platform and come back when a login page is served.

    `extra_checks` join the preflight. Raises OpsError before anything is
    changed if a check fails, and with the log of the guilty service if the
    start does.
    """
    with file_lock(lock(stack.settings), "up"):
        host = engine.probe(stack.runner)
        checks = [*extra_checks, *host_checks.checks(stack, host, stack.services())]
        results = run_all(checks)
        require(results, "the platform was not started")
        for row in results:
            if row.status is Status.WARNING:
                reporter.note(f"{row.name}: {row.detail}. {row.hint}")
        images.ensure(stack, reporter)
        debugger.ensure(stack, reporter)
        with reporter.step("Starting the platform"):
            archiver.remove_unwanted(stack)
            _bring_up(stack, "--remove-orphans")


def _bring_up(stack: Stack, option: str) -> None:
    """`docker compose up`, and come back when the login page is served.

    Without its --wait: Docker asks for the health of a container only after a whole interval,
    and the page is there seconds before.
    """
    before = _end_waiting(stack)
    start = ["up", "--detach", "--no-build", option]
    done = stack.run(*start, timeout=START_SECONDS + 60, check=False, changes=True)
    if not done.ok:
        raise diagnose(stack, CommandFailedError(done), again_and_again(stack))
    if stack.settings.tls:  # as a deployment may have left it that was killed
        stack.exec("nginx", *nginx_configuration.UPSTREAMS, timeout=90, changes=True)
    try:
        _await_login_page(stack, before=before)
        login_page.await_websockets(stack)
        if len(stack.settings.odoo_services) > 1 and not stack.runner.dry:
            await_odoo(stack)  # each of them
    except OpsError:
        # A stop had begun before; the command that began it may be gone (kill -9).
        if not was_stopped(stack.services(), before):
            raise
        _bring_up(stack, option)  # not for ever: what is started now was not running before


def _end_waiting(stack: Stack) -> dict[str, int]:
    """Stop what ended again and again, so that it is started at once and tried from the first.

    The engine would wait for up to a minute, although the cause may be gone meanwhile. Returns
    how often each container that goes on running was restarted so far.
    """
    services = [s for s in stack.services() if not s.oneoff]
    if waiting := [s.service for s in services if s.state == "restarting"]:
        stack.run("stop", *waiting, timeout=120, check=False, changes=True)
    return {s.name: s.restarts for s in services if s.state == "running"}


def _await_login_page(
    stack: Stack, services: Sequence[str] = PAGE_NEEDS, before: Mapping[str, int] | None = None
) -> None:
    """Wait for the page itself, with none of `services` broken.

    `before` has the restarts so far of containers that were not started just now. Raises
    OpsError with the log of the service that prevents it.
    """
    if stack.runner.dry:
        return
    began = time.monotonic()
    watch = Watch(stack, services, restarts=dict(before or {}))
    while True:
        problem = login_page.problem(stack)
        served = not problem
        # Odoo serves the page of a login that would fail, for want of Redis.
        watch.look(now=served)
        if served and not watch.broken and watch.settled:
            # While it reads a large or damaged file it runs, and keeps no session.
            if "redis" not in services or readiness.answers(stack, "redis"):
                return
            problem = "Redis does not answer"
        waited = time.monotonic() - began
        hopeless = watch.hopeless or waited > START_SECONDS
        if hopeless:
            raise diagnose(stack, OpsError(problem), watch.restarting)
        if waited > USABLE_SECONDS and (away := external_servers.refusals(stack)):
            readiness.wait(stack, list(away))
        time.sleep(0.3)


def await_odoo(stack: Stack) -> None:
    """Wait until Odoo itself shows a login page, whatever Nginx says to visitors meanwhile.

    Raises OpsError with its last log lines if it does not.
    """
    deadline = time.monotonic() + START_SECONDS / 2
    while not (done := login_page.ask_odoo(stack)).ok:
        if done.code == login_page.CURL_SAW_ERROR:  # it is there, and this is what it has to say
            deadline = min(deadline, time.monotonic() + USABLE_SECONDS)
        if time.monotonic() > deadline or _ended(stack):
            lines = "".join(f"\n  {line}" for line in stack.logs("odoo", LOG_LINES))
            raise OpsError(f"Odoo does not work ({done.last_line}); its last log lines:{lines}")
        time.sleep(1)


def forget_static_files(stack: Stack) -> None:
    """Have Nginx ask Odoo again for what it keeps for a day; in development it keeps nothing."""
    kept = ["find", "/var/cache/nginx", "-type", "f", "-delete"]
    stack.exec("nginx", *kept, user="nginx", timeout=60)


def _ended(stack: Stack) -> bool:
    """Whether Odoo's container ended with an error, or ends again and again."""
    return any(
        s.broken and s.health != "unhealthy" and not s.oneoff
        for s in stack.services()
        if s.service == "odoo"
    )


def down(stack: Stack, reporter: Reporter, *, volumes: bool = False) -> bool:
    """Stop and remove the containers; returns False if the person said no.

    With `volumes` the data goes too, after its volumes were named and the
    person agreed; without a terminal only `--yes` agrees.
    """
    with file_lock(lock(stack.settings), "down"):
        engine.probe(stack.runner)
        # Compose leaves services of a profile, and what only they use, unless it is named.
        arguments = ["--profile", "*", "down", "--remove-orphans"]
        if volumes:
            doomed = [name for name in stack.volumes() if name != identity.volume(stack.settings)]
            question = f"This destroys for good: {', '.join(doomed) or 'nothing'}. Continue?"
            if doomed and not reporter.confirm(question, unattended=False):
                return False
            arguments.append("--volumes")
        environments.keep_running(stack, reporter)
        # Production's files know all services and volumes, whichever environment runs.
        settings = replace(stack.settings, environment=Environment.PROD)
        with reporter.step("Stopping the platform"):
            replace(stack, settings=settings).run(*arguments, timeout=300, changes=True)
        if volumes:
            from scripts.stack import postgres_volumes

            postgres_volumes.drop(stack, *postgres_volumes.others(stack))
            identity.forget(stack)
    return True


def restart(stack: Stack, reporter: Reporter, service: str = "") -> None:
    """Restart `service`, or all running ones, and wait until Odoo can be used again."""
    with file_lock(lock(stack.settings), "restart"):
        engine.probe(stack.runner)
        running = {s.service for s in stack.services() if s.state == "running"}
        if not running or (service and service not in running):
            raise OpsError(f"{service or 'the platform'} is not running", "Start it: inv up")
        with reporter.step(f"Restarting {service or 'the platform'}"):
            targets = [service] if service else sorted(running)
            _restart(stack, reporter, targets)
            _await_login_page(stack.as_running(), targets)
            readiness.wait_for_unchecked(stack, targets)


def _restart(stack: Stack, reporter: Reporter, targets: Sequence[str]) -> None:
    try:
        stack.run("restart", *targets, timeout=300, changes=True)
    except KeyboardInterrupt:
        reporter.note("Some services may be stopped now; to start them: inv up")
        raise


def pause_odoo(stack: Stack, reporter: Reporter) -> Stack:
    """Stop Odoo, so that its database can be replaced; returns the stack as it runs.

    It runs again where that is interrupted.
    """
    running = stack.as_running()
    try:
        with reporter.step("Stopping Odoo"):
            running.run(
                "stop", *running.settings.odoo_services, timeout=_STOP_SECONDS, changes=True
            )
    except BaseException:
        # The engine may go on with it, although nobody waits for that any more.
        reporter.note("Odoo was being stopped: it is started again; by hand: inv up")
        running.run(
            "stop",
            *running.settings.odoo_services,
            timeout=_STOP_SECONDS,
            check=False,
            changes=True,
        )
        resume_odoo(running, reporter)
        raise
    return running


def resume_odoo(stack: Stack, reporter: Reporter) -> None:
    """Start the Odoo that was stopped, as it is; the whole platform where there is none.

    Raises OpsError if no login page is served then.
    """
    if not any(service.service == "odoo" for service in stack.services()):
        up(stack, reporter)
        return
    with reporter.step("Starting Odoo"):
        _bring_up(stack, "--no-recreate")
