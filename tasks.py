"""Every command of the platform: `inv help`, `inv help COMMAND`."""

from collections.abc import Mapping, Sequence
from typing import Final

from invoke.collection import Collection

from scripts.commands import (
    backup,
    configuration,
    containers,
    credentials,
    databases,
    deploy,
    development,
    disaster,
    doctor,
    jobs,
    lifecycle,
    mail,
    modules,
    postgres,
    restore,
    sessions,
    supabase,
    swarm,
    tls,
)
from scripts.core.tasklib import Command

namespace = Collection(
    *lifecycle.TASKS,
    *containers.TASKS,
    *configuration.TASKS,
    *doctor.TASKS,
    *tls.TASKS,
    *restore.TASKS,
    *development.TASKS,
    backup.COLLECTION,
    backup.FILES,
    deploy.COLLECTION,
    disaster.COLLECTION,
    databases.COLLECTION,
    postgres.COLLECTION,
    credentials.COLLECTION,
    modules.COLLECTION,
    sessions.COLLECTION,
    mail.COLLECTION,
    supabase.COLLECTION,
    jobs.COLLECTION,
    swarm.COLLECTION,
)


def _of(*collections: Collection) -> list[Command]:
    return [task for collection in collections for task in collection.tasks.values()]


# In the order of the overview.
GROUPS: Final[Mapping[str, Sequence[Command]]] = {
    "Start and stop": lifecycle.TASKS,
    "Deploy": _of(deploy.COLLECTION),
    "Look": [*containers.TASKS, *configuration.TASKS, *doctor.TASKS],
    "Back up and restore": [
        *_of(backup.COLLECTION),
        *restore.TASKS,
        *_of(disaster.COLLECTION),
        *_of(databases.COLLECTION, backup.FILES),
    ],
    "PostgreSQL": _of(postgres.COLLECTION),
    "Modules": _of(modules.COLLECTION),
    "Several machines": _of(swarm.COLLECTION),
    "HTTPS": tls.TASKS,
    "Secrets": _of(credentials.COLLECTION),
    "Sessions": _of(sessions.COLLECTION),
    "Mail": _of(mail.COLLECTION),
    "Supabase and jobs": _of(supabase.COLLECTION, jobs.COLLECTION),
    "Work on this project": development.TASKS,
}
