"""What a rotation has done, for people."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RotatedSecret:
    """A secret with a new value."""

    file: str
    in_use: bool  # False where nothing has used the old value yet

    @property
    def line(self) -> str:
        """For people."""
        used, unused = "new, tried and in use", "new; nothing has used the old one yet"
        return f"{self.file}: {used if self.in_use else unused}"


@dataclass(frozen=True)
class Rotated:
    """What a rotation has done."""

    secrets: tuple[RotatedSecret, ...]
    advice: tuple[str, ...]
    old_key: str  # the file that keeps the old key of the backups; '' for none

    @property
    def lines(self) -> list[str]:
        """For people."""
        kept = [old_key(self.old_key)] if self.old_key else []
        return [*(secret.line for secret in self.secrets), *self.advice, *kept]


def old_key(file: str) -> str:
    """Why there is that file in secrets/."""
    return f"secrets/{file}: the old key, for backups that nobody has seen here"
