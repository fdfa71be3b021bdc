"""Health as data: named probes, run side by side, each giving one row."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock, Thread
from typing import TypeVar

from scripts.core.errors import OpsError

_Answer = TypeVar("_Answer")


class Status(StrEnum):
    """How a check ended; only FAILED makes a run fail."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"  # it cannot be told: who would answer is not reached


class CannotTellError(OpsError):
    """Raised by a probe that finds nobody to ask, for reasons that another row tells."""


class InapplicableError(Exception):
    """Raised by a probe whose subject does not exist here: there is no row."""


@dataclass(frozen=True)
class Finding:
    """What a probe found."""

    status: Status
    detail: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Check:
    """A name and the probe behind it. A probe fails by Finding or by OpsError."""

    name: str
    probe: Callable[[], Finding]
    group: str = ""


@dataclass(frozen=True)
class Result:
    """One row: the finding of a check and how long it took."""

    name: str
    status: Status
    detail: str
    hint: str
    seconds: float
    group: str = ""


@dataclass(frozen=True)
class LateResult(Result):
    """The row of a check that had not ended in time; see run_within."""


def run_all(checks: Sequence[Check]) -> list[Result]:
    """Run `checks` concurrently; rows come in the order of `checks`.

    A probe that raises is a failed row, never the end of the run. Probes bound
    their own time: each blocking call in them has a timeout. One that raises
    InapplicableError gives no row.
    """
    pool = ThreadPoolExecutor(max_workers=max(1, len(checks)))
    try:
        return [row for row in pool.map(_run, checks) if row]
    finally:  # not as a block, which waits for all of them after a Ctrl-C
        pool.shutdown(wait=False, cancel_futures=True)


def run_within(checks: Sequence[Check], seconds: float) -> list[Result]:
    """As `run_all`, but those that take longer than `seconds` are rows that say so.

    Their probes go on; they do not keep the process from ending.
    """
    found: dict[int, Result | None] = {}

    def run(number: int, check: Check) -> None:
        found[number] = _run(check)

    threads = [Thread(target=run, args=pair, daemon=True) for pair in enumerate(checks)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = {n: _late(check, seconds) for n, check in enumerate(checks) if n not in found}
    rows = (found.get(number, late.get(number)) for number in range(len(checks)))
    return [row for row in rows if row]


def _late(check: Check, seconds: float) -> Result:
    detail = f"no answer within {seconds:.1f} s"
    return LateResult(check.name, Status.UNKNOWN, detail, "", seconds, check.group)


def _run(check: Check) -> Result | None:
    started = time.monotonic()
    try:
        finding = check.probe()
    except InapplicableError:
        return None
    except CannotTellError as error:
        finding = Finding(Status.UNKNOWN, error.message, error.hint)
    except OpsError as error:
        finding = Finding(Status.FAILED, error.message, error.hint)
    except Exception as error:  # a broken probe must not hide the other rows
        finding = Finding(Status.FAILED, f"{type(error).__name__}: {error}")
    seconds = round(time.monotonic() - started, 3)
    told = (finding.status, finding.detail, finding.hint)
    return Result(check.name, *told, seconds, check.group)


def once(question: Callable[[], _Answer]) -> Callable[[], _Answer]:
    """`question`, asked by its first caller only: the others wait for the same answer.

    What it raises is raised for each of them.
    """
    lock, kept = Lock(), Future[_Answer]()

    def answer() -> _Answer:
        with lock:
            if not kept.done():
                try:
                    kept.set_result(question())
                except Exception as error:
                    kept.set_exception(error)
        return kept.result()

    return answer


def worst(findings: Sequence[Finding]) -> Finding:
    """One finding for all: of the worst status among them, with the details of those that have it.

    OK where there are none.
    """
    for status in (Status.FAILED, Status.WARNING, Status.UNKNOWN):
        found = [finding for finding in findings if finding.status is status]
        if found:
            details = "; ".join(dict.fromkeys(f.detail for f in found if f.detail))
            return Finding(status, details, next((f.hint for f in found if f.hint), ""))
    return Finding(Status.OK)


def require(results: Sequence[Result], what: str) -> None:
    """Raises OpsError that lists every failed row; `what` could not be done."""
    failed = [row for row in results if row.status is Status.FAILED]
    if failed:
        problems = "".join(f"\n  {row.name}: {row.detail}" for row in failed)
        hints = " ".join(dict.fromkeys(row.hint for row in failed if row.hint))
        raise OpsError(f"{what}:{problems}", hints)
