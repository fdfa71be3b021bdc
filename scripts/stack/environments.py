"""Development or production: what runs stays what it is, unless somebody says otherwise."""

from dataclasses import replace

from scripts.core import env_file
from scripts.core.errors import OpsError
from scripts.core.report import Reporter
from scripts.core.settings import Environment, Settings, Told, no_debugger
from scripts.stack.compose import Stack

_VARIABLE = "PLATFORM_ENV"


def settle(stack: Stack, reporter: Reporter) -> Stack:
    """`stack` in the environment in which it is to be started.

    Production that runs, or has containers, stays production where nothing was said.
    Raises OpsError where PLATFORM_ENV says otherwise: what would close the site is done for
    a flag only.
    """
    settings = stack.settings
    if settings.told is Told.FLAG or settings.environment is Environment.PROD:
        return stack
    try:
        runs = stack.environment()
    except OpsError:  # no engine answers, as the start will say
        return stack
    if runs is not Environment.PROD:
        return stack
    if settings.told is Told.SETTING:
        raise OpsError(
            f"production runs here, and {_VARIABLE}={settings.environment} says otherwise",
            "To keep it: inv up --prod. To make it development, without HTTPS: inv up --dev",
        )
    if settings.debug:
        raise no_debugger()
    reporter.note("Production runs here and stays; development is: inv up --dev")
    production = Settings.load(settings.root, prod=True)
    return replace(stack, settings=replace(production, monitoring=settings.monitoring))


def keep(stack: Stack, reporter: Reporter) -> None:
    """Write the environment of `stack` into `.env`, where a later start finds it.

    Development that nobody asked for is the default, and needs no line.
    """
    settings = stack.settings
    if stack.runner.dry or settings.told is not Told.FLAG:
        return
    for line in env_file.remember(settings.env_file, {_VARIABLE: settings.environment.value}):
        reporter.note(f"written to .env: {line}")


def keep_running(stack: Stack, reporter: Reporter) -> None:
    """Before it is stopped: have a later start make production of what is production."""
    settings = stack.settings
    if settings.told is Told.DEFAULT and stack.environment() is Environment.PROD:
        production = replace(settings, environment=Environment.PROD, told=Told.FLAG)
        keep(replace(stack, settings=production), reporter)
