"""Which service keeps the platform from working, what it says, and the way out of that."""

import re
from collections.abc import Collection, Sequence
from typing import Final

from scripts.core.errors import OpsError
from scripts.stack import external_servers
from scripts.stack.compose import Stack

LOG_LINES: Final = 20
_READ_LINES: Final = 200
_REASON: Final = re.compile(r"FATAL|PANIC|CRITICAL|ERROR|\berror\b|\[emerg\]|\w+Error:")
# What the login page needs; what the others wait for comes first.
PAGE_NEEDS: Final = (
    "odoo_db",
    "redis",
    "odoo_init",
    "odoo",
    "odoo_cron",
    "odoo_websocket",
    "nginx",
)

_REDIS_CERTIFICATE: Final = (
    "Its certificate has to be of the name or address by which it is asked, and of the authority in"
    " REDIS_EXTERNAL_CA_FILE; see docs/external-redis.md"
)
_KNOWN: Final = (
    (
        "odoo_db",
        r"error: the data is of PostgreSQL \d+, and this image has \d+",
        "Name an image of the data's version in .env (POSTGRES_IMAGE), or the other volume "
        "(POSTGRES_VOLUME); then: inv up. To move to another version: inv postgres.upgrade",
    ),
    (
        "odoo_db",
        r"error: PostgreSQL at \S+: .*(certificate|SSL)",
        "Compare POSTGRES_EXTERNAL_HOST and POSTGRES_EXTERNAL_CA_FILE in .env with what its"
        " provider says; see docs/external-database.md",
    ),
    (
        "odoo_db",
        r"error: PostgreSQL at \S+: .*authentication failed",
        "Put the password of its role into secrets/db_password.txt, then: inv up",
    ),
    (
        "odoo_db",
        r"error: PostgreSQL at \S+: ",
        "Ask who runs it; or compare POSTGRES_EXTERNAL_* in .env with what its provider says, see"
        " docs/external-database.md",
    ),
    (
        "redis",
        r"error: Redis at .*: .*(certificate|SSL)",
        _REDIS_CERTIFICATE,
    ),
    (
        "redis",
        r"error: Redis at .*no Sentinel names .*(WRONGPASS|NOAUTH)",
        "REDIS_EXTERNAL_SENTINEL_AUTH=true in .env sends Sentinels the same password; then: inv up",
    ),
    (
        "redis",
        r"error: Redis at .*: .*(WRONGPASS|NOAUTH)",
        "Put the password of its user into secrets/redis_password.txt, then: inv restart",
    ),
    (
        "redis",
        r"error: Redis at .*: ",
        "Compare REDIS_EXTERNAL_* in .env with what its provider says; see docs/external-redis.md",
    ),
    ("odoo", r"session_redis: Redis at .* cannot be trusted", _REDIS_CERTIFICATE),
    (
        "redis",
        r"redis-check-aof|[Bb]ad file format reading the append only file|AOF manifest",
        "The file with the sessions is damaged. To repair it, whereupon Redis starts by itself: "
        "docker compose run --rm --no-deps redis repair",
    ),
)


def remedy(service: str, log: Sequence[str]) -> str:
    """What to do about the last log lines of `service`; '' where nothing is known."""
    text = "\n".join(log)
    return next((way for s, sign, way in _KNOWN if s == service and re.search(sign, text)), "")


def telling(log: Sequence[str]) -> Sequence[str]:
    """The last LOG_LINES of `log`; where no error is among them, those that end with the last.

    A service that ends again and again may have begun its next try, with many lines of its own.
    """
    found = [number for number, line in enumerate(log, 1) if _REASON.search(line)]
    end = found[-1] if found and found[-1] <= len(log) - LOG_LINES else len(log)
    return log[max(0, end - LOG_LINES) : end]


def again_and_again(stack: Stack) -> set[str]:
    """The services that run just now, but have ended twice and more and are not healthy yet."""
    # Unhealthy: between the last check of what has ended and its next start.
    services = [s for s in stack.services() if s.health in ("starting", "unhealthy")]
    return {s.service for s in services if s.restarts > 1 and not s.oneoff}


def diagnose(
    stack: Stack,
    failure: OpsError,
    suspects: Collection[str] = (),
    needed: Collection[str] = PAGE_NEEDS,
) -> OpsError:
    """`failure` with the name and last log lines of the service that caused it.

    `suspects` are services that caused it whatever state their containers are in now. An external
    server is named only where its service is one of `needed`.
    """
    services = [s for s in stack.services() if not s.oneoff]
    broken = {s.service: s for s in services if s.broken or s.service in suspects}
    # Of a suspect the log tells.
    refusals = {
        service: said
        for service, said in external_servers.refusals(stack).items()
        if service in needed and service not in suspects
    }
    if not broken and not refusals:
        return OpsError(failure.message, failure.hint or "See: inv logs")
    order = {service: place for place, service in enumerate(PAGE_NEEDS)}
    cause = min({*broken, *refusals}, key=lambda service: order.get(service, len(order)))
    if cause in refusals:
        text = f"{external_servers.places(stack.settings)[cause]}: {refusals[cause]}"
        return OpsError(text, remedy(cause, [f"error: {text}"]))
    first = broken[cause]
    state = first.health or f"{first.state}, exit code {first.exit_code}"
    if first.service in suspects:
        state = "restarting again and again"
    log = telling(stack.logs(first.service, _READ_LINES))
    lines = "".join(f"\n  {line}" for line in log)
    hint = remedy(first.service, log) or f"More of it: inv logs --service {first.service}"
    return OpsError(f"service {first.service} is {state}; its last log lines:{lines}", hint)
