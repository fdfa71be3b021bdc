"""What the host and the programs in containers exchange, also with other versions of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from tests.unit.support.backups import MANIFEST, STORED
from toolbox.contract.backups import Manifest, ShownBackup, StoredBackup
from toolbox.contract.changes import ChangePlan, ChangeRequest, Snapshot, Step
from toolbox.contract.codec import decode, from_json, to_json


@dataclass(frozen=True, kw_only=True)
class _Part:
    name: str
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Whole:
    parts: tuple[_Part, ...]
    by_name: Mapping[str, _Part] = field(default_factory=dict)
    note: str | None = None
    count: int = 3


def test_a_record_comes_back_as_it_was() -> None:
    part = _Part(name="a", sizes=(1, 2))
    whole = _Whole(parts=(part, part), by_name={"a": part}, note="x", count=1)
    assert from_json(_Whole, to_json(whole)) == whole
    assert from_json(list[_Part], to_json([part])) == [part]


def test_what_is_missing_or_null_takes_its_default_and_what_is_unknown_is_left_out() -> None:
    found = decode(_Whole, {"parts": [], "count": None, "by_name": None, "of_tomorrow": {"a": 1}})
    assert found == _Whole(parts=())


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"parts": None},
        {"parts": {}},
        {"parts": [1]},
        {"parts": [{}]},
        {"parts": [], "by_name": []},
    ],
)
def test_anything_else_is_an_error_with_a_reason(value: Any) -> None:
    with pytest.raises(ValueError, match=r"_Whole|_Part|tuple|Mapping"):
        decode(_Whole, value)


def test_the_manifest_of_an_older_backup_is_read() -> None:
    """The first versions wrote neither of what is counted or compared since."""
    later = {"icu", "extensions", "properties", "large_objects", "functions", "unrestorable"}
    assert not later & MANIFEST.keys() and "lost" not in MANIFEST["files"]
    found = decode(Manifest, MANIFEST)
    assert (found.icu, found.extensions, found.properties, found.functions) == ({}, {}, {}, {})
    assert found.large_objects is None and found.unrestorable == "" and found.files.lost == {}


def test_the_manifest_of_a_newer_backup_is_read_without_what_is_new() -> None:
    files = {**MANIFEST["files"], "compressed": True}
    newer = {**MANIFEST, "files": files, "format": 2, "encryption": {"by": "age"}}
    assert decode(Manifest, newer).files.count == 1


def test_a_manifest_never_has_the_configuration_which_may_hold_secrets() -> None:
    found = decode(Manifest, {**MANIFEST, "configuration": {"files": {".env": "TOKEN=x"}}})
    assert "TOKEN" not in to_json(found)


def test_modules_without_a_version_are_no_fault_of_a_manifest() -> None:
    assert decode(Manifest, {**MANIFEST, "modules": {"base": None}}).modules == {"base": None}


def test_what_is_inherited_is_part_of_a_record() -> None:
    found = decode(ShownBackup, {**MANIFEST, "stored": STORED})
    assert found.stored == decode(StoredBackup, STORED)
    assert json.loads(to_json(found)).keys() > MANIFEST.keys()


def test_a_step_is_written_with_its_record() -> None:
    plan = ChangePlan(install=("sale",), besides=("crm",))
    event = json.loads(to_json(plan, step=Step.PLAN))
    assert event["step"] == "plan" and decode(ChangePlan, event) == plan


def test_a_comment_that_somebody_has_written_is_no_snapshot() -> None:
    for text in ("5", '"made"', "[]", '{"made": "2026"}'):
        with pytest.raises(ValueError):
            decode(Snapshot, json.loads(text))


def test_a_request_has_nothing_that_a_shell_or_the_program_takes_for_another_flag() -> None:
    request = ChangeRequest(database="odoo", install=("a",), uninstall=("b", "c"))
    assert request.command("change") == [
        "change",
        "--install=a",
        "--uninstall=b,c",
        "--max-lock-wait=60",
    ]
    assert asdict(request)["keep"] == 3
