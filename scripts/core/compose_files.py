"""Which compose files make a platform, in the order Compose merges them."""


def names(
    *, production: bool, replicas: bool, debug: bool, swarm: bool, database: bool, redis: bool
) -> tuple[str, ...]:
    """By name. `database` and `redis`: whether somebody else runs that server."""
    found = ["compose.yaml"]
    if production:
        found += ["compose.prod.yaml", *(["compose.replicas.yaml"] if replicas else [])]
    elif debug:
        found.append("compose.debug.yaml")
    elsewhere = [part for part, there in {"db": database, "redis": redis}.items() if there]
    if swarm:
        own = (f"compose.swarm-external-{part}.yaml" for part in elsewhere)
        return (*found, "compose.swarm.yaml", *own)
    for part in elsewhere:
        found.append(f"compose.external-{part}.yaml")
        if "compose.replicas.yaml" in found:
            found.append(f"compose.external-{part}-replicas.yaml")
    return tuple(found)
