"""Moments of the past, as people write them."""

from datetime import datetime, timedelta, timezone

import pytest

from scripts.backups import moments
from scripts.core.errors import UsageError
from toolbox.contract.archive import TIME, TRANSACTION

_HERE = timezone(timedelta(hours=1), "CET")
_NOW = datetime(2026, 11, 28, 12, 30, 15, tzinfo=_HERE)


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine in Central Europe, in winter."""
    import time

    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-26 14:32", "2026-11-26T13:32:00+00:00"),
        ("2026-11-26T14:32:05", "2026-11-26T13:32:05+00:00"),
        ("2026-11-26 14:32:05.25", "2026-11-26T13:32:05.250000+00:00"),
        ("2026-11-26 14:32Z", "2026-11-26T14:32:00+00:00"),
        ("2026-11-26 14:32+02:00", "2026-11-26T12:32:00+00:00"),
        ("  yesterday   17:00 ", "2026-11-27T16:00:00+00:00"),
        ("today 8:05", "2026-11-28T07:05:00+00:00"),
        ("8:05:30", "2026-11-28T07:05:30+00:00"),
        ("-15min", "2026-11-28T11:15:15+00:00"),
        ("15min ago", "2026-11-28T11:15:15+00:00"),
        ("2 h ago", "2026-11-28T09:30:15+00:00"),
        ("-1d", "2026-11-27T11:30:15+00:00"),
        ("now", "2026-11-28T11:30:15+00:00"),
    ],
)
def test_a_time_is_the_machine_s_own_unless_it_says_otherwise(text: str, utc: str) -> None:
    found = moments.parse(text, _NOW)
    assert (found.kind, found.text, found.exclusive) == (TIME, utc, False)
    assert found.options == [f"--at={utc}", "--kind=time"]


def test_a_moment_is_shown_in_the_zone_it_was_told_in() -> None:
    assert moments.parse("yesterday 17:00", _NOW).shown == "2026-11-27 17:00:00 CET"
    assert moments.parse("2026-11-26 14:32Z", _NOW).shown == "2026-11-26 14:32:00 UTC"


@pytest.mark.parametrize(("text", "before"), [("xid 4711", False), ("before  xid 4711", True)])
def test_a_transaction(text: str, before: bool) -> None:
    found = moments.parse(text, _NOW)
    assert (found.kind, found.text, found.exclusive) == (TRANSACTION, "4711", before)
    assert "transaction 4711" in found.shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "tomorrow 8:00",
        "25:00",
        "12:60",
        "15min",
        "-15min ago",
        "-0x5min",
        "2026-02-30 12:00",
        "2026-11-26 14:32 '; DROP",
        "xid -1",
        "xid 0",
        f"xid {1 << 64}",
        "-999999d",
        "1" * 400,
        "2026-11-26",
    ],
)
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is no moment") as caught:
        moments.parse(text, _NOW)
    assert "yesterday 17:00" in caught.value.hint


@pytest.mark.parametrize("text", ["23:59", "2026-11-29 00:00", "2027-01-01 00:00Z"])
def test_a_moment_that_is_still_to_come_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="still to come"):
        moments.parse(text, _NOW)
