"""Every command of the platform: `inv --list`, `inv --help COMMAND`."""

from invoke.collection import Collection

from scripts.commands import backup, developing, looking, sessions, starting, tls

namespace = Collection(
    *starting.TASKS, *looking.TASKS, *tls.TASKS, *backup.TASKS, *developing.TASKS,
    backup.ROOM, sessions.ROOM,
)  # fmt: skip
