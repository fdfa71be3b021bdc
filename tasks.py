"""Every command of the platform: `inv --list`, `inv --help COMMAND`."""

from invoke.collection import Collection

from scripts.commands import (
    backup,
    containers,
    credentials,
    development,
    jobs,
    lifecycle,
    modules,
    sessions,
    supabase,
    tls,
)

namespace = Collection(
    *lifecycle.TASKS, *containers.TASKS, *tls.TASKS, *backup.TASKS, *development.TASKS,
    backup.COLLECTION, backup.FILES, credentials.COLLECTION, modules.COLLECTION,
    sessions.COLLECTION, supabase.COLLECTION, jobs.COLLECTION,
)  # fmt: skip
