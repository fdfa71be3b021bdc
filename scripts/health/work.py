"""What Odoo does while nobody looks: mail, scheduled actions, jobs; and its modules."""

from collections.abc import Mapping
from typing import Any, Final

from scripts.core.checks import CannotTellError, Finding, Status, worst
from scripts.core.errors import OpsError
from scripts.core.http import get
from scripts.health import limits
from scripts.health.answers import Answers, as_json
from scripts.health.facts import Facts, duration

_OK: Final = Finding(Status.OK)
_SHOWN: Final = 3
_LOG: Final = "inv logs --service odoo"
_MAIL: Final = "inv mail.test --to YOU shows what the server says"
_ACTIONS: Final = "Settings, Technical, Scheduled Actions in Odoo; inv logs --service odoo"
# What changes modules, or a whole database: their states are not final meanwhile.
_CHANGING: Final = {"odoo_modules", "restore", "restore_offsite", "odoo_init"}


def catcher(answers: Answers) -> Finding:
    """Of development's mail catcher. Without it Odoo works, and sends nothing."""
    try:
        answers.container("mail_catcher")
        status = get(answers.stack.settings.mail.page, timeout=answers.seconds).status
    except CannotTellError:
        raise
    except OpsError as error:
        return _warning(error.message, error.hint or "inv logs --service mail_catcher")
    if status == 200:
        return _OK
    return _warning(f"status {status}", "inv logs --service mail_catcher")


def reports(answers: Answers) -> Finding:
    """Whether Odoo can make PDF of reports."""
    said = _odoo(answers, "reports")
    if said == "unpatched":
        lacks = "wkhtmltopdf has no patched Qt: reports have no header, footer or page numbers"
        return _warning(lacks, "inv images, or an ODOO_BASE_IMAGE that has it")
    return _warning(said, "inv images, or an ODOO_BASE_IMAGE that has it") if said else _OK


def mail(facts: Facts) -> Finding:
    """Whether mail leaves. Odoo sends its queue once an hour."""
    found, runs = facts.optional("mail"), facts.odoo_runs()
    findings = []
    if found["failed"]:
        reason = " ".join(str(found["reason"] or "no reason is told").split())
        many = f"{found['failed']} messages could not be sent since yesterday"
        findings.append(_warning(f"{many}; the last: {reason[:200]}", _MAIL))
    if min(found["seconds"], runs) > limits.MAIL_WAITS:
        since = duration(found["seconds"])
        findings.append(
            _warning(f"{found['waiting']} messages wait, the oldest for {since}", _ACTIONS)
        )
    return worst(findings) if findings else Finding(Status.OK, f"{found['waiting']} wait")


def scheduled_actions(facts: Facts) -> Finding:
    """Whether scheduled actions run when they are due, end, and do not fail."""
    found, runs = facts.optional("cron"), facts.odoo_runs()
    late = [(job, _late(job, found["running"], runs)) for job in found["late"]]
    late = [(job, seconds) for job, seconds in late if seconds > 0]
    findings = []
    if late:
        worst_late = max(seconds for _, seconds in late)
        dead = worst_late > limits.CRON_DEAD
        names = _names([job["name"] for job, _ in late])
        detail = f"overdue, by up to {duration(max(job['seconds'] for job, _ in late))}: {names}"
        findings.append(Finding(Status.FAILED if dead else Status.WARNING, detail, _ACTIONS))
    if found["running"] > limits.CRON_RUNS:
        detail = f"one has been running for {duration(found['running'])}"
        findings.append(_warning(detail, _ACTIONS))
    failing = [job for job in found["failing"] if job["times"] >= limits.CRON_FAILURES]
    if failing:
        names = _names([f"{job['name']} ({job['times']} times)" for job in failing])
        findings.append(_warning(f"failing: {names}", _ACTIONS))
    last = found["last"]
    since = "none has run yet" if last is None else f"the last ran {duration(last)} ago"
    return worst(findings) if findings else Finding(Status.OK, since)


def _late(job: Mapping[str, Any], running: int, runs: float) -> float:
    """How many seconds later than it may be; the time that Odoo was down does not count.

    Nor does that of an action that runs: it is this one, or holds it up.
    """
    margin = min(limits.CRON_LATE + job["every"], limits.CRON_LATE_AT_MOST)
    return min(float(job["seconds"]), runs) - running - float(margin)


def jobs(facts: Facts) -> Finding:
    """Whether jobs of the module mcp_jobs reach their queue."""
    found = facts.optional("jobs")
    if min(found["seconds"], facts.odoo_runs()) <= limits.JOB_WAITS:
        return Finding(Status.OK, f"{found['waiting']} wait")
    detail = (
        f"{found['waiting']} jobs wait for the queue, the oldest for {duration(found['seconds'])}"
    )
    if not found["key"]:
        return _warning(f"{detail}: mcp_jobs.key is not set", "docs/supabase.md says how")
    return _warning(detail, _LOG)


def modules(answers: Answers, facts: Facts) -> Finding:
    """Whether the files of all installed modules are there, and no change of them is half done."""
    missing = _odoo(answers, "modules")
    if missing:
        detail = (
            f"installed, and not in odoo/addons or anywhere else: {_names(missing.split(', '))}"
        )
        return Finding(Status.FAILED, detail, "put them back, or: inv module.uninstall NAME")
    waiting = facts.optional("modules")
    changing = any(s.service in _CHANGING and s.state == "running" for s in answers.containers())
    if waiting and not changing:
        return _warning(f"not finished: {_names(waiting)}", "inv module.update")
    return _OK


def _odoo(answers: Answers, name: str) -> str:
    """What odoo/health.py says of `name`; raises CannotTellError where it could not ask."""
    said = as_json(answers.told("odoo", answers.odoo)).get(name)
    if said is None:
        raise CannotTellError("Odoo's container does not tell")
    return str(said)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _warning(detail: str, hint: str) -> Finding:
    return Finding(Status.WARNING, detail, hint)
