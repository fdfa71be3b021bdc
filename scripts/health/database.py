"""What PostgreSQL is about to run out of, and who holds whom up."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from scripts.core import sizes
from scripts.core.checks import Finding, Status, worst
from scripts.core.settings import sources
from scripts.health import limits
from scripts.health.answers import Answers, as_json
from scripts.health.facts import Facts, duration

_OPTION: Final = re.compile(r"--(workers|max-cron-threads|db[_-]maxconn(?:[_-]gevent)?)=(\d+)")
_DEFAULTS: Final = {"workers": 0, "max_cron_threads": 2, "db_maxconn": 64}
_TERMINATE: Final = 'inv psql --command "SELECT pg_terminate_backend({pid})" ends it'


def connections(answers: Answers, facts: Facts) -> Finding:
    """Whether there are enough, for now and for all that Odoo may open."""
    found = facts.about("connections")
    most = found["most"] - found["reserved"]
    told = f"{found['used']} of {most} connections are in use"
    external = answers.stack.settings.postgres.external
    where = "of the server" if external else "(compose.prod.yaml)"
    raise_it = f"raise max_connections {where}, or lower db_maxconn in odoo/odoo.conf"
    if found["used"] >= most:
        return Finding(Status.FAILED, told, raise_it)
    if found["used"] > limits.CONNECTIONS_USED * most:
        return Finding(Status.WARNING, told, raise_it)
    wanted = _wanted(answers)
    if wanted > most:
        detail = f"Odoo may open {wanted} connections, and PostgreSQL has {most}"
        return Finding(Status.WARNING, detail, raise_it)
    return Finding(Status.OK, told)


def _wanted(answers: Answers) -> int:
    """How many Odoo may open by its configuration; 0 where that cannot be known."""
    odoo = answers.need("odoo")
    settings = answers.stack.settings
    if len(settings.odoo_services) > 1:
        count = settings.replicas
        present = sizes.present(settings.root, sources(settings.root), count)
        return sizes.wanted_connections(present, count)
    configured = as_json(answers.told("odoo", answers.odoo)).get("processes") or {}
    return most_connections(configured, odoo.command)


def most_connections(configured: Mapping[str, int], command: Sequence[str]) -> int:
    """How many connections the processes of Odoo may open; 0 for no configuration.

    `configured` is from its file, and its command line wins.
    """
    if not configured:
        return 0
    given = (match for word in command if (match := _OPTION.fullmatch(word)))
    told = {match[1].replace("-", "_"): int(match[2]) for match in given}
    options = {**_DEFAULTS, **configured, **told}
    each = options["db_maxconn"]
    if not options["workers"]:  # one process, for websockets as well
        return each
    processes = options["workers"] + options["max_cron_threads"]
    return processes * each + options.get("db_maxconn_gevent", each)


def transactions(facts: Facts) -> Finding:
    """Whether none is open for so long that PostgreSQL cannot clean up behind it."""
    findings = []
    for found in facts.about("transactions"):
        who = f"process {found['pid']} ({found['program']})"
        idle = str(found["state"]).startswith("idle")
        if idle and found["unchanged"] > limits.IDLE_TRANSACTION:
            detail = f"{who} has left a transaction open for {duration(found['unchanged'])}"
        elif found["seconds"] > limits.TRANSACTION:
            detail = f"{who} has been in one transaction for {duration(found['seconds'])}"
        else:
            continue
        findings.append(Finding(Status.WARNING, detail, _TERMINATE.format(pid=found["pid"])))
    return worst(findings)


def locks(facts: Facts) -> Finding:
    """Whether nobody waits long for somebody else's lock."""
    found = facts.about("locks")
    if found["seconds"] <= limits.LOCK_WAITS:
        return Finding(Status.OK)
    blocker = found["blocker"]
    detail = f"{found['waiting']} sessions wait for a lock, since {duration(found['seconds'])}"
    if not blocker:
        return Finding(Status.WARNING, detail)
    hint = _TERMINATE.format(pid=blocker)
    return Finding(Status.WARNING, f"{detail}; process {blocker} holds it", hint)


def vacuum(facts: Facts) -> Finding:
    """Whether autovacuum keeps up: transaction ids that are left, and rows that are dead."""
    oldest, findings = facts.about("age"), []
    if oldest["age"] > limits.AGE_WARNING:
        failed = oldest["age"] > limits.AGE_FAILED
        detail = (
            f"the database {oldest['database']} was not frozen for {oldest['age']} transactions"
        )
        hint = f"vacuumdb --freeze {oldest['database']}; who keeps autovacuum from it?"
        findings.append(Finding(Status.FAILED if failed else Status.WARNING, detail, hint))
    for table in facts.about("tables"):
        if table["dead"] > limits.DEAD_ROWS:
            detail = f"{table['name']} has {table['dead']} dead rows beside {table['live']} living"
            hint = f'inv psql --command "VACUUM {table["name"]}"'
            findings.append(Finding(Status.WARNING, detail, hint))
    return worst(findings)
