"""What an upgrade of PostgreSQL has done, for people and for programs."""

from dataclasses import dataclass

from scripts.stack import postgres_volumes
from scripts.stack.compose import Stack


@dataclass(frozen=True)
class PostgresUpgrade:
    """What was done."""

    done: str  # nothing, upgraded, undone, accepted
    postgresql: int  # the major version that runs now
    before: int  # the one that ran before; 0 where nothing changed
    moved: str  # how many databases, tables and rows; '' if none
    backup: str  # the backup that was made before; '' if none
    volume: str  # the volume that is in use
    kept: tuple[str, ...]  # further volumes that hold data
    dropped: tuple[str, ...]  # volumes that are gone

    @property
    def lines(self) -> list[str]:
        """For people."""
        lines = [f"PostgreSQL {self.postgresql} runs on the volume {self.volume}"]
        if self.done == "nothing":
            lines[0] += ": there is nothing to do"
        if self.moved:
            lines.append(f"Moved and compared: {self.moved}")
        if self.backup:
            lines.append(f"Backup of before: {self.backup}")
        lines += [f"Removed: {name}" for name in self.dropped]
        if self.done == "upgraded":
            kept = ", ".join(self.kept)
            lines.append(f"What was there before is kept in {kept}: `inv postgres.upgrade --undo`")
            lines.append("goes back to it, `inv postgres.upgrade --accept` drops it")
        elif self.kept:
            lines.append(f"Kept: {', '.join(self.kept)}; to drop it: inv postgres.upgrade --accept")
        return lines


def report(stack: Stack, done: str, major: int) -> PostgresUpgrade:
    """What can be said without having done anything."""
    return PostgresUpgrade(
        done=done,
        postgresql=major,
        before=0,
        moved="",
        backup="",
        volume=postgres_volumes.in_use(stack.settings),
        kept=tuple(postgres_volumes.others(stack)),
        dropped=(),
    )
