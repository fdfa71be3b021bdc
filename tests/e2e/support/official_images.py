"""Images that do what the official ones do differently from those of `images/`.

They are built here, on the images of the project under test, so that no registry is needed: in
the folders below official/, each says in its Dockerfile what that is.
"""

import subprocess
from pathlib import Path
from typing import Final

from tests import durations
from tests.e2e.support import images, series

_FOLDER: Final = Path(__file__).parent / "official"
_FOLDERS: Final = {
    "REDIS_IMAGE": "redis",
    "NGINX_IMAGE": "nginx",
    "POSTGRES_IMAGE": "postgres",
    "ODOO_BASE_IMAGE": "odoo",
}
# Other numbers than ours, as Odoo's and Redis's depend on what else is in their images.
UIDS: Final = {"odoo": 205, "redis": 301}


def lines(project: str) -> list[str]:
    """Lines of `.env` for a clone that runs on them, and on what is built on them."""
    bases = images.in_use()
    named = [f"{name}={_build(folder, bases[name])}" for name, folder in _FOLDERS.items()]
    postgres = named[list(_FOLDERS).index("POSTGRES_IMAGE")].partition("=")[2]
    # Names that `inv` would not take for its own; what it builds for them goes with the clone.
    return [
        *named,
        f"ODOO_IMAGE=localhost/{project}/odoo:official-{series.expected()}",
        f"BACKUP_BASE_IMAGE={postgres}",
        f"BACKUP_IMAGE=localhost/{project}/backup:official",
    ]


def _build(folder: str, base: str) -> str:
    version = base.rpartition(":")[2]
    image = f"localhost/ipai/test-official-{folder}:{version}"
    build = ["docker", "build", "--quiet", "--force-rm", "--tag", image]
    build += ["--build-arg", f"BASE_IMAGE={base}"]
    uid = UIDS.get(folder)
    build += ["--build-arg", f"{folder.upper()}_UID={uid}"] if uid else []
    with durations.waiting("image builds"):
        done = subprocess.run(
            [*build, str(_FOLDER / folder)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return image
