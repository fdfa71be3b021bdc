"""What a restore has done, for people."""

from dataclasses import dataclass

from scripts.core.errors import WarningError
from toolbox.contract.names import BEFORE


@dataclass(frozen=True)
class Restored:
    """What a restore has done."""

    source: str
    database: str
    replaced: bool
    missing_files: int
    live: bool = False  # it is the platform's own database
    with_files: bool = True  # a dump of a database has none
    url: str = ""  # of a clone that is served
    mail_page: str = ""
    remark: str = ""  # on a moment
    last_transaction: str = ""  # ISO 8601; of a backup its time, '' of a file or if unknown

    def warn(self) -> None:
        """Raises WarningError where attachments have come without files that they should have."""
        if self.missing_files and self.with_files:
            hint = f"inv files.check --database {self.database}"
            said = f"{self.missing_files} attachments of {self.database} have no whole file"
            raise WarningError(said, hint)

    @property
    def lines(self) -> list[str]:
        """For people."""
        lines = [f"Restored {self.source} as the database {self.database}"]
        if self.remark:
            lines.append(self.remark)
        if self.missing_files and not self.with_files:
            lines.append(f"{self.missing_files} attachments have no file: a dump brings none")
        if self.replaced:
            lines.append(
                f"What was there before is the database {self.database}{BEFORE};"
                f" the next restore takes it away. Back to it: {self._way_back}"
            )
        if self.url:
            lines += [
                f"It is served at {self.url}, with the logins of its source",
                f"What it sends is at {self.mail_page}, and reaches nobody",
                f"To end it, and drop the copy: inv db.drop {self.database}",
            ]
        return lines

    @property
    def _way_back(self) -> str:
        return "inv restore --undo" + ("" if self.live else f" --to-database {self.database}")
