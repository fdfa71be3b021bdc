"""What a program that was run has left behind."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Completed:
    """What a finished process left behind."""

    argv: tuple[str, ...]
    code: int
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """Whether the exit code was 0."""
        return self.code == 0

    @property
    def last_line(self) -> str:
        """The last line it printed, of the errors if there are any, else ''.

        What begins with a tab explains the line before, as libpq does.
        """
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return next(
            (line.strip() for line in reversed(lines) if line.strip() and line[:1] != "\t"), ""
        )
