"""Where things are in the containers `archiver` and `recovery`."""

from pathlib import Path

DATA = Path("/var/lib/postgresql/data")  # of the server, read-only; in `recovery` a scratch volume
SOCKET = Path("/var/run/postgresql")  # of the server
STATE = Path("/var/lib/archive")  # a volume, of `odoo_db` as well
QUEUE = STATE / "queue"  # what postgres/archive-wal asks for
STATUS = STATE / "status.json"
NAME = STATE / "name"  # of the archive of this server
REPOSITORY = STATE / "repository"  # that there was one
SEGMENT = STATE / "segment"  # the last that was archived
FILES = STATE / "files.json"  # what is known of saved attachments
GAPS = STATE / "gaps.json"
GIVEN_UP = QUEUE / "given-up"  # by postgres/archive-wal: a line with the time of each segment
