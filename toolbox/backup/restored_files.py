"""Attachments of a backup: linked from a live filestore or restored, and verified."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolbox.backup import restic
from toolbox.contract.backups import Parts
from toolbox.core import filestore
from toolbox.core.progress import Percentage, say


def sources(chosen: Parts) -> tuple[str, ...]:
    """Where the files of a set are: a folder in a snapshot, or nowhere."""
    path = chosen.paths["files"]
    return () if path == restic.NO_FILES else (f"{chosen.snapshots['files']}:{path}",)


@dataclass
class AttachmentRestore:
    """Those in `sources`, folders in snapshots, on their way into `folder`.

    What the live filestore has, whole, only gets a second name. The names that are wanted are
    known once the database is restored; `count` is known before, so that a filestore which
    lacks some of them does not wait for it.
    """

    sources: Sequence[str]
    folder: Path
    live: str  # the database whose filestore is linked from; '' if none is
    count: int  # of the attachments that the backup has whole
    lost: Collection[str] = ()  # those of which it has no whole file
    told: Percentage = field(default_factory=lambda: Percentage("files"))
    _intact: set[str] = field(default_factory=set)  # in `folder`, and seen to be whole
    _restored: bool = False

    def begin(self) -> None:
        """Everything that can be done beside the restore of the database."""
        source = filestore.folder(self.live)
        if self.live and source.is_dir():
            self._intact = filestore.link_intact(source, self.folder, filestore.stored(source))
        if len(self._intact) < self.count:
            self._restore()

    def finish(self, names: Collection[str]) -> set[str]:
        """Those of `names` that are not there, but for `lost`; removes all other files."""
        if not self._restored and set(names) - self._intact - set(self.lost):
            self._restore()
        # What no attachment names was on its way when the backup was made: it may be half a
        # file. Or it was linked from the live filestore, for attachments of another time.
        for path in list(self.folder.rglob("*")):
            if path.is_file() and str(path.relative_to(self.folder)) not in names:
                path.unlink()
        return set(names) - self._intact - set(self.lost)

    def _restore(self) -> None:
        self._restored = True
        if not self.sources:
            return
        say("restoring the files that are not here")
        # Never over a file that is there: it is the live one, under a second name.
        options = ["--no-lock", "--overwrite", "never", "--target", str(self.folder)]
        for source in self.sources:
            for message in restic.messages("restore", "--json", source, *options):
                if message.get("message_type") == "status":
                    self.told.tell(message.get("percent_done", 0.0), "files")
        self.told.tell(1.0, "files")
        fresh = set(filestore.stored(self.folder)) - self._intact
        self._intact |= fresh - set(filestore.damaged(self.folder, fresh))
