"""What a change of modules comes to: a function of the request and of one InstalledState."""

from collections.abc import Iterable

from toolbox.contract.changes import ChangePlan, ChangeRequest
from toolbox.core.errors import Failure
from toolbox.modules import addons
from toolbox.modules.state import InstalledState

_ESSENTIAL = {"base", "web"}


def make_plan(request: ChangeRequest, state: InstalledState) -> ChangePlan:
    """What `request` comes to; raises Failure for everything that is known to fail."""
    if request.uninstall:
        return _removal(request, state)
    there = state.installed
    install = [a.name for a in addons.look_up(request.install, state.disk) if a.name not in there]
    brought = [n for n in addons.needed(install, there, state.disk) if n not in install]
    update = _updates(request, state)
    above = state.dependants(update)
    addons.needed(update, [name for name in there if name not in update], state.disk)
    return ChangePlan(
        install=tuple(install),
        update=tuple(update),
        besides=(*brought, *above),
        missing=_missing(state),
        restart=_is_loaded([*update, *above], state) or _was_loaded(install, state),
    )


def code_to_load(plan: ChangePlan, state: InstalledState) -> list[str]:
    """The modules whose code Odoo loads for `plan`, and has not loaded as it is now."""
    there = state.installed
    others = [name for name in there if name not in plan.update]
    new = addons.needed(plan.install, there, state.disk)
    return list(dict.fromkeys([*new, *addons.needed(plan.update, others, state.disk)]))


def _updates(request: ChangeRequest, state: InstalledState) -> list[str]:
    update = [addon.name for addon in addons.look_up(request.update, state.disk)]
    if absent := [name for name in update if name not in state.installed]:
        raise Failure(
            f"not installed, so nothing to update: {', '.join(absent)}",
            f"Run: inv module.install {','.join(absent)}",
        )
    if request.changed:
        update += [name for name in state.changed if name not in update]
    return update


def _missing(state: InstalledState) -> tuple[str, ...]:
    return tuple(name for name in state.installed if name not in state.disk)


def _is_loaded(names: Iterable[str], state: InstalledState) -> bool:
    """Whether a server has other code of installed modules loaded than what is on disk."""
    known, now = state.recorded, state.current
    return any(n in now and (n not in known or known[n].code != now[n].code) for n in names)


def _was_loaded(names: Iterable[str], state: InstalledState) -> bool:
    """Whether a server may have other code of modules loaded, from before they were removed."""
    known, now = state.recorded, state.current
    return any(n in known and n in now and known[n].code != now[n].code for n in names)


def _removal(request: ChangeRequest, state: InstalledState) -> ChangePlan:
    if kept := sorted(_ESSENTIAL & set(request.uninstall)):
        raise Failure(f"Odoo does not work without {', '.join(kept)}")
    if absent := [name for name in request.uninstall if name not in state.installed]:
        raise Failure(f"not installed: {', '.join(absent)}", "See: inv module.list")
    above = state.dependants(request.uninstall)
    return ChangePlan(uninstall=request.uninstall, besides=tuple(above), missing=_missing(state))
