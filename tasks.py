"""Every command of the platform: `inv --list`, `inv --help COMMAND`."""

from invoke.collection import Collection

from scripts.commands import (
    backup,
    credentials,
    developing,
    jobs,
    looking,
    modules,
    sessions,
    starting,
    supabase,
    tls,
)

namespace = Collection(
    *starting.TASKS, *looking.TASKS, *tls.TASKS, *backup.TASKS, *developing.TASKS,
    backup.ROOM, backup.FILES, credentials.ROOM, modules.ROOM, sessions.ROOM, supabase.ROOM,
    jobs.ROOM,
)  # fmt: skip
