"""Changes of modules: the steps of one, and the records that are exchanged as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Step(StrEnum):
    """What `change`, `rehearse` and `rollback` report, a line of JSON each."""

    PLAN = "plan"  # a ChangePlan or a Snapshot; waits for an Answer
    SNAPSHOT = "snapshot"
    CHANGED = "changed"  # waits for KEEP
    UNDONE = "undone"
    RESULT = "result"


class Answer(StrEnum):
    """What the host sends back, a line each; anything else, or the end, undoes the change."""

    GO = "go"
    KEEP = "keep"
    ACCEPT = "accept"  # `rollback` only: keep what an interrupted change has left


@dataclass(frozen=True, kw_only=True)
class ChangeRequest:
    """Which modules are to be changed, and how carefully."""

    database: str = ""  # the platform's own if empty
    install: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    uninstall: tuple[str, ...] = ()
    changed: bool = False  # update every module that differs from its last update
    snapshot: bool = True
    patience: int = 60  # seconds to wait for a lock that another session holds
    keep: int = 3  # snapshots

    def command(self, verb: str) -> list[str]:
        """The words for the program in the container; its --database stands before them."""
        chosen = (("install", self.install), ("update", self.update), ("uninstall", self.uninstall))
        flags = [f"--{flag}={','.join(names)}" for flag, names in chosen if names]
        switches = [(self.changed, "--changed"), (not self.snapshot, "--no-snapshot")]
        given = [flag for wanted, flag in switches if wanted]
        return [verb, *flags, *given, f"--max-lock-wait={self.patience}"]


@dataclass(frozen=True, kw_only=True)
class ChangePlan:
    """What a request comes to, by names of modules."""

    install: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    uninstall: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()  # installed, updated or removed along with them
    missing: tuple[str, ...] = ()  # installed, and not on disk
    restart: bool = False  # a server has older Python code of these loaded

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.install or self.update or self.uninstall)

    @property
    def title(self) -> str:
        """What is done, for the list of snapshots and for errors."""
        parts = (("install", self.install), ("update", self.update), ("uninstall", self.uninstall))
        return "; ".join(f"{verb} {','.join(names)}" for verb, names in parts if names)


@dataclass(frozen=True, kw_only=True)
class SnapshotTaken:
    """The snapshot that was made before a change."""

    name: str
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Changed:
    """The change is made, and neither kept nor undone yet."""

    restart: bool
    seconds: float = 0.0
    waited_for: Mapping[str, float] = field(default_factory=dict)  # sessions, seconds


@dataclass(frozen=True, kw_only=True)
class ChangeResult:
    """How a change or rehearsal ended."""

    done: bool
    seconds: float = 0.0
    locked: Mapping[str, float] = field(default_factory=dict)  # tables, seconds


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A state of a database that one can go back to."""

    name: str  # of the database that holds it
    database: str
    doing: str  # what was about to be done
    made: str  # '' for one that was never complete
    state: str  # open: what was about to be done was neither kept nor undone
    bytes: int = 0
    remark: str | None = None  # the comment that the database had of its own


@dataclass(frozen=True, kw_only=True)
class RollbackResult:
    """How `rollback` ended."""

    name: str  # of the snapshot
    present: str = ""  # the snapshot of what it replaced; '' where the database was missing
    accepted: bool = False


@dataclass(frozen=True, kw_only=True)
class RecoverResult:
    """The snapshot that was put back; '' where nothing was left unfinished."""

    undone: str = ""


@dataclass(frozen=True, kw_only=True)
class ModuleTestResult:
    """The tests of a module have passed."""

    module: str
    summary: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module on the addons path, in the database, or both."""

    name: str
    state: str
    installed: str  # the version; '' if it never was
    on_disk: str  # the version; '' where it is missing
    changed: bool  # since its last update
    missing: bool  # installed, and not on disk
    source: str
    path: str = ""
    title: str = ""
    installable: bool = False
    depends: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModuleList:
    """The modules that a database and the addons path have."""

    database: str
    modules: tuple[Module, ...]
