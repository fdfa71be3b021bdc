"""Rows with a header: columns for people, records for machines."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A row has a cell for each column of the header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def lines(self) -> list[str]:
        """The header and a line for each row; columns are as wide as their widest cell."""
        lines = [self.header, *self.rows]
        widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]

    @property
    def records(self) -> list[dict[str, str]]:
        """An object for each row."""
        return [dict(zip(self.header, row, strict=True)) for row in self.rows]
