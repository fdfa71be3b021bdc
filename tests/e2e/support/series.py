"""Which Odoo the platforms of this run have."""

import re
from pathlib import Path

from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout


def expected() -> str:
    """Such as 18.0: what the name of the image says."""
    image = images.in_use()["ODOO_IMAGE"]
    found = re.search(r":(\d+\.\d+)", image)
    assert found, f"{image} names no version"
    return found[1]


def rotates_softly(platform: Checkout) -> bool:
    """Whether it renews session ids every three hours, as 19 does and later builds of 18."""
    where = "import odoo.http; print(odoo.http.__file__)"
    file = Path(platform.exec("odoo", "python3", "-c", where).stdout.strip())
    grep = ["grep", "-q", "SESSION_ROTATION_INTERVAL", str(file)]
    return platform.exec("odoo", *grep).returncode == 0


def complaints(log: str) -> list[str]:
    """The warnings and errors of Odoo's own command, but for those that are not of a module.

    18 says that Debian's Python is newer than it knows; both name folders that other tests have
    removed, and say that tests are better run without workers.
    """
    gone = r"addons path does not exist|addons_path, no such directory"
    others = rf"not officially supported|{gone}|testing in workers mode"
    lines = [line for line in log.splitlines() if re.search(r" (WARNING|ERROR|CRITICAL) ", line)]
    return [line for line in lines if not re.search(others, line)]
