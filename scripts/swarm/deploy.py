"""Brings the stack to what the files, `.env`, secrets and folders here say."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from scripts.core import configuration
from scripts.core.errors import OpsError, UsageError
from scripts.core.files import file_lock
from scripts.core.redis_settings import PASSWORD
from scripts.core.report import Reporter
from scripts.core.settings import Environment
from scripts.stack import backup_folders, image_names, images, ingress
from scripts.stack.compose import Stack
from scripts.swarm import balance, nodes, once, services, stackfile, swarm_images

_REPLICAS: Final = 2  # where ODOO_REPLICAS names none
_SECONDS: Final = 1200.0  # an image is fetched, Odoo started, one task after the other
_NEEDED: Final = ("db_password", "backup_key")
_NO_FILESTORE: Final = (
    "Odoo's attachments have to be on a volume that all nodes mount: SWARM_FILESTORE_DEVICE in .env"
)


@dataclass(frozen=True)
class Deployed:
    """What runs now."""

    services: tuple[services.ServiceState, ...]
    removed: tuple[str, ...]  # secrets and configs of earlier deployments

    @property
    def lines(self) -> list[str]:
        """For people."""
        tasks = ", ".join(f"{one.name} {one.running}/{one.wanted}" for one in self.services)
        return [f"Deployed: {tasks}"]


def of_swarm(stack: Stack) -> Stack:
    """`stack` as it is in a swarm: production, with replicas."""
    settings = stack.settings
    return replace(
        stack,
        settings=replace(
            settings,
            environment=Environment.PROD,
            replicas=settings.replicas or _REPLICAS,
            in_swarm=True,
        ),
    )


def deploy(stack: Stack, reporter: Reporter, *, loaded: bool = False) -> Deployed:
    """Build the images, give them to the nodes, and update the stack; returns when all run.

    `loaded`: the images are on all nodes already. Raises OpsError where a service was rolled
    back, or does not run in time.
    """
    stack = of_swarm(stack)
    nodes.require_manager(stack.runner)
    known = nodes.all_nodes(stack.runner)
    nodes.require_labels(known)
    _require(stack)
    with alone(stack, "swarm.deploy"):
        images.ensure(stack, reporter, image_names.BACKUP)
        merged = _merged(stack)
        named = swarm_images.build(stack, reporter, merged)
        used = list(named.values())
        swarm_images.spread(stack, reporter, used, nodes=len(known), loaded=loaded)
        if not stack.runner.dry:
            backup_folders.make(stack.settings)
        # An Odoo that ends because PostgreSQL is replaced, while it is replaced itself: Swarm
        # (20.10) then starts two in its place, and leaves both.
        _update(stack, reporter, "PostgreSQL, Redis and Nginx", merged, named, odoo=False)
        found = _update(stack, reporter, "Odoo", merged, named, odoo=True)
        found = balance.spread(stack, reporter, found)
        return Deployed(tuple(found), tuple(_clean(stack)))


@contextmanager
def alone(stack: Stack, doing: str) -> Iterator[None]:
    """While no other command changes the stack, nor makes or restores a backup.

    Raises OpsError where one does; of another manager as far as tasks tell of it.
    """
    with file_lock(stack.settings.state_folder / "swarm.lock", doing):
        once.require_idle(stack)
        yield


def _require(stack: Stack) -> None:
    """Raises OpsError for what can be known to fail before anything is built."""
    settings = stack.settings
    configuration.require(settings)
    if not settings.swarm.filestore:
        raise UsageError(_NO_FILESTORE, "For one machine or NFS: docs/swarm.md")
    if settings.odoo_enterprise:
        hint = "Copy it to odoo/enterprise, which becomes part of the image"
        raise UsageError("ODOO_ENTERPRISE names a folder that nodes do not have", hint)
    for name in (*_NEEDED, *([PASSWORD] if settings.redis.external else [])):
        if not (settings.secrets_folder / f"{name}.txt").is_file():
            raise OpsError(f"secrets/{name}.txt does not exist", "Run: inv secrets")
    ingress.expected_certificate(settings)
    if any(s.state == "running" and not s.oneoff for s in stack.services()):
        raise OpsError(
            "the platform runs by Docker Compose on this machine",
            "Its volumes of PostgreSQL and Redis are used by the stack. Stop it first: inv down",
        )


def _merged(stack: Stack) -> dict[str, Any]:
    done = stack.run("config", "--format", "json", timeout=60)
    merged: dict[str, Any] = json.loads(done.stdout)
    return merged


def _update(
    stack: Stack,
    reporter: Reporter,
    what: str,
    merged: Mapping[str, Any],
    named: Mapping[str, str],
    *,
    odoo: bool,
) -> list[services.ServiceState]:
    """Have Swarm update to it, and wait; secrets go by files, which Docker's client reads."""
    before = {state.name: state.updated for state in services.look(stack)}
    wanted = stackfile.convert(merged, named, stack.settings.root, odoo=odoo)
    # Digests are asked for where there is a registry: a tag could mean another image there.
    by_registry = "changed" if stack.settings.swarm.registry else "never"
    options = ["--with-registry-auth", "--resolve-image", by_registry]
    # What is no service any more goes last.
    options += ["--prune"] if odoo else []
    argv = ["docker", "stack", "deploy", *options, "--compose-file", "-", stack.settings.project]
    with reporter.step(f"Updating {what}"):
        stack.runner.run(argv, stdin=json.dumps(wanted), timeout=300, changes=True)
        if stack.runner.dry:
            return []
        return services.wait(stack, before, seconds=_SECONDS)


def _clean(stack: Stack) -> list[str]:
    """Remove secrets and configs that neither a service nor its last rollback names."""
    if stack.runner.dry:
        return []
    used: set[str] = set()
    for service in services.raw(stack):
        for spec in (service["Spec"], service.get("PreviousSpec") or service["Spec"]):
            container = spec["TaskTemplate"]["ContainerSpec"]
            used |= {one["SecretName"] for one in container.get("Secrets") or ()}
            used |= {one["ConfigName"] for one in container.get("Configs") or ()}
    removed = []
    for kind in ("secret", "config"):
        chosen = ["--filter", f"label=com.docker.stack.namespace={stack.settings.project}"]
        argv = ["docker", kind, "ls", *chosen, "--format", "{{.Name}}"]
        for name in stack.runner.run(argv, timeout=60).stdout.split():
            if name not in used:
                stack.runner.run(["docker", kind, "rm", name], timeout=60, changes=True)
                removed.append(name)
    return removed
