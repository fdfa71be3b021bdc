"""Which changes are told: once, with recovery, with repeats, without a flood."""

from collections.abc import Collection
from dataclasses import replace

import pytest

from scripts.core.checks import Result, Status
from scripts.health.changes import Changes, Told, between

_ALL = frozenset({"Redis", "Nginx", "Memory"})
_HOUR = 3600.0
_DAY = 24 * _HOUR


class Address:
    """One that is told, with a clock."""

    def __init__(self) -> None:
        self.told, self.now, self.messages = Told(), 1e9, 0

    def look(
        self, seconds: float = 300, /, asked: Collection[str] = _ALL, **rows: Status
    ) -> tuple[list[str], list[str], list[str]]:
        """What is new, has recovered and lasts, after so many seconds."""
        self.now += seconds
        found = [Result(name, status, "", "", 0.1) for name, status in rows.items()]
        self.told, changes = between(self.told, found, asked, self.now, _DAY)
        self.messages += changes.worth_telling
        self.last = changes
        return list(changes.new), list(changes.recovered), list(changes.lasting)


@pytest.fixture
def address() -> Address:
    return Address()


def test_a_failure_and_its_end_are_told_once(address: Address) -> None:
    assert address.look(Redis=Status.OK) == ([], [], [])
    assert address.look(Redis=Status.FAILED) == (["Redis"], [], [])
    for _ in range(20):
        assert address.look(Redis=Status.FAILED) == ([], [], ["Redis"])
    assert address.look(Redis=Status.OK) == ([], ["Redis"], [])
    assert address.look(Redis=Status.OK) == ([], [], [])
    assert address.messages == 2


def test_what_is_not_asked_is_no_reason_to_say_anything_again(address: Address) -> None:
    address.look(Redis=Status.FAILED)
    assert address.look(2 * _DAY, {"Memory"}, Memory=Status.OK) == ([], [], [])
    assert address.messages == 1
    assert address.look(Redis=Status.FAILED) == ([], [], ["Redis"])
    assert address.last.reminder


def test_what_cannot_be_told_has_not_recovered(address: Address) -> None:
    for status in (Status.FAILED, Status.OK, Status.FAILED, Status.OK):
        address.look(Redis=status, Nginx=Status.FAILED)
    assert address.look(_HOUR, Redis=Status.UNKNOWN, Nginx=Status.FAILED)[1] == []
    assert address.look(Redis=Status.OK, Nginx=Status.FAILED)[1] == ["Redis"]


def test_a_second_failure_is_news_and_the_first_is_named_with_it(address: Address) -> None:
    address.look(Redis=Status.FAILED)
    both = {"Redis": Status.FAILED, "Nginx": Status.FAILED}
    assert address.look(**both) == (["Nginx"], [], ["Redis"])
    assert address.look(Redis=Status.FAILED, Nginx=Status.OK) == ([], ["Nginx"], ["Redis"])


def test_what_becomes_worse_is_news_and_what_becomes_milder_is_not(address: Address) -> None:
    assert address.look(Memory=Status.WARNING) == (["Memory"], [], [])
    assert address.look(Memory=Status.FAILED) == (["Memory"], [], [])
    for _ in range(10):
        assert address.look(Memory=Status.WARNING) == ([], [], ["Memory"])
        assert address.look(Memory=Status.FAILED) == ([], [], ["Memory"])
    assert address.messages == 2


def test_what_cannot_be_told_beside_a_failure_is_neither_bad_nor_well(address: Address) -> None:
    rows = {"Redis": Status.FAILED, "Memory": Status.UNKNOWN}
    assert address.look(**rows) == (["Redis"], [], [])
    assert address.look(Memory=Status.WARNING) == (["Memory"], ["Redis"], [])
    assert address.look(**rows) == (["Redis"], [], ["Memory"])
    address = Address()
    assert address.look(Memory=Status.UNKNOWN) == (["Memory"], [], [])


def test_what_lasts_is_told_again_after_a_day_and_not_before(address: Address) -> None:
    address.look(Redis=Status.FAILED)
    address.look(_DAY - 1, Redis=Status.FAILED)
    assert not address.last.worth_telling
    assert address.look(1, Redis=Status.FAILED) == ([], [], ["Redis"])
    assert address.last == Changes([], [], ["Redis"], reminder=True)
    address.look(_DAY - 1, Redis=Status.FAILED)
    assert not address.last.worth_telling


def test_a_look_at_some_says_nothing_of_the_others(address: Address) -> None:
    address.look(Redis=Status.FAILED)
    assert address.look(asked=frozenset({"Nginx"}), Nginx=Status.OK) == ([], [], [])
    assert not address.last.worth_telling
    assert address.look(Nginx=Status.OK) == ([], ["Redis"], []), "a line that has gone is well"


@pytest.mark.parametrize("period", [600, 2 * _HOUR, 3 * _HOUR])
def test_a_check_that_comes_and_goes_is_no_flood(address: Address, period: float) -> None:
    while address.now < 1e9 + 3 * _DAY:
        address.look(period / 2, Redis=Status.FAILED)
        address.look(period / 2, Redis=Status.OK)
    assert address.messages <= 3 * 10
    # In a day an alarm, its end, the second alarm and a reminder.
    assert period > 600 or address.messages <= 3 * 4
    address.look(Redis=Status.OK)
    address.look(7 * _HOUR, Redis=Status.OK)
    assert address.told.bad == {}, "its end is told at last"


def test_a_change_that_did_not_arrive_is_still_news(address: Address) -> None:
    before = address.told
    address.look(Redis=Status.FAILED)
    address.told = before.unreached("Slack was not told", address.now)
    assert address.look(Redis=Status.FAILED) == (["Redis"], [], [])
    later = replace(before.unreached("x", 5.0)).unreached("y", 9.0)
    assert (later.failing, later.reason) == (5.0, "y")
