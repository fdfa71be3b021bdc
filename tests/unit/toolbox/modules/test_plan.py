"""What a change of modules comes to, by what the database and the disk have."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from toolbox.contract.changes import ChangePlan, ChangeRequest
from toolbox.core.errors import Failure
from toolbox.modules.addons import Addon
from toolbox.modules.checksums import Checksum
from toolbox.modules.installed import Entry
from toolbox.modules.plan import code_to_load, make_plan
from toolbox.modules.state import InstalledState

OLD, NEW_DATA, NEW_CODE = Checksum("1", "1"), Checksum("2", "1"), Checksum("3", "2")
_TREE: Mapping[str, tuple[str, ...]] = {
    "base": (),
    "web": ("base",),
    "mail": ("web",),
    "crm": ("mail",),
    "sale": ("web",),
    "sale_crm": ("sale", "crm"),
}


def _addon(name: str, depends: tuple[str, ...], *, installable: bool = True) -> Addon:
    return Addon(name, Path("/x", name), name, "18.0.1.0", installable, depends, (), (), "odoo")


def _state(
    *installed: str,
    changed: Mapping[str, Checksum] | None = None,
    recorded: Mapping[str, Checksum] | None = None,
    without: tuple[str, ...] = (),
    versions: Mapping[str, str] | None = None,
) -> InstalledState:
    """`installed` of the tree, recorded as OLD; `without` are not on disk."""
    entries = {name: Entry("uninstalled", "") for name in _TREE}
    for name in installed:
        entries[name] = Entry("installed", (versions or {}).get(name, "18.0.1.0"))
    known = dict.fromkeys(installed, OLD) if recorded is None else dict(recorded)
    disk = {n: _addon(n, depends) for n, depends in _TREE.items() if n not in without}
    current = dict.fromkeys([n for n in (*installed, *known) if n in disk], OLD) | dict(
        changed or {}
    )
    depends = {name: _TREE[name] for name in installed}
    return InstalledState(entries, depends, disk, known, current)


def _install(*names: str) -> ChangeRequest:
    return ChangeRequest(install=names)


def test_an_installation_brings_along_what_it_needs() -> None:
    plan = make_plan(_install("sale_crm"), _state("base", "web"))
    assert plan == ChangePlan(install=("sale_crm",), besides=("sale", "crm", "mail"))


def test_what_is_installed_already_is_not_installed_again() -> None:
    assert make_plan(_install("web"), _state("base", "web")).empty


def test_an_update_touches_what_builds_on_the_module() -> None:
    plan = make_plan(ChangeRequest(update=("web",)), _state(*_TREE))
    assert plan == ChangePlan(update=("web",), besides=("crm", "mail", "sale", "sale_crm"))


@pytest.mark.parametrize(("now", "restart"), [(NEW_DATA, False), (NEW_CODE, True)])
def test_only_changed_python_code_wants_a_restart(now: Checksum, restart: bool) -> None:
    state = _state("base", "web", "mail", changed={"mail": now})
    plan = make_plan(ChangeRequest(changed=True), state)
    assert (plan.update, plan.restart) == (("mail",), restart)


def test_an_update_of_what_has_changed_and_of_a_named_module_names_each_once() -> None:
    state = _state("base", "web", "mail", "sale", changed={"mail": NEW_DATA})
    plan = make_plan(ChangeRequest(update=("sale", "mail"), changed=True), state)
    assert plan.update == ("sale", "mail")


def test_where_nothing_is_recorded_the_version_decides() -> None:
    state = _state("base", "web", recorded={}, versions={"web": "18.0.0.9"})
    plan = make_plan(ChangeRequest(changed=True), state)
    assert (plan.update, plan.restart) == (("web",), True)


def test_nothing_has_changed_where_nothing_is_recorded_and_versions_agree() -> None:
    assert make_plan(ChangeRequest(changed=True), _state("base", "web", recorded={})).empty


def test_what_was_removed_and_comes_back_with_other_code_wants_a_restart() -> None:
    known = {"base": OLD, "web": OLD, "sale": OLD}
    state = _state("base", "web", recorded=known, changed={"sale": NEW_CODE})
    assert make_plan(_install("sale"), state).restart
    assert not make_plan(_install("sale"), _state("base", "web", recorded=known)).restart


def test_a_removal_takes_what_builds_on_the_module() -> None:
    plan = make_plan(ChangeRequest(uninstall=("mail",)), _state(*_TREE))
    assert plan == ChangePlan(uninstall=("mail",), besides=("crm", "sale_crm"))


def test_installed_modules_that_are_not_on_disk_are_named() -> None:
    state = _state("base", "web", "sale", without=("sale",))
    for request in (_install("mail"), ChangeRequest(uninstall=("sale",))):
        assert make_plan(request, state).missing == ("sale",)


@pytest.mark.parametrize(
    ("request_", "reason", "hint"),
    [
        (_install("sales"), "no module 'sales'", "Did you mean sale"),
        (ChangeRequest(update=("sale",)), "nothing to update: sale", "inv module.install sale"),
        (ChangeRequest(uninstall=("sale",)), "not installed: sale", ""),
        (ChangeRequest(uninstall=("web", "base")), "does not work without base, web", ""),
        (_install("crm"), "'crm' needs the module 'mail'", "odoo/addons"),
    ],
)
def test_what_can_be_known_to_fail_fails_before_anything_is_done(
    request_: ChangeRequest, reason: str, hint: str
) -> None:
    with pytest.raises(Failure, match=reason) as caught:
        make_plan(request_, _state("base", "web", without=("mail",)))
    assert hint in caught.value.hint


def test_code_to_load_is_what_is_new_and_what_is_updated() -> None:
    state = _state("base", "web", "sale")
    plan = make_plan(ChangeRequest(install=("crm",), update=("sale",)), state)
    assert sorted(code_to_load(plan, state)) == ["crm", "mail", "sale"]
    assert code_to_load(make_plan(ChangeRequest(uninstall=("sale",)), state), state) == []


def test_a_circle_in_the_database_ends() -> None:
    state = _state("base", "web")
    circle = InstalledState(
        state.entries,
        {"base": ("web",), "web": ("base",)},
        state.disk,
        state.recorded,
        state.current,
    )
    assert circle.dependants(["base"]) == ["web"]
