"""A checkout of Odoo's own source, run in the place of the Odoo that the image brings."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.support.checkout import Checkout

VERSION: Final = "18.0"
NOT_GIVEN: Final = (
    f"did not run on Odoo {VERSION}: no --odoo-source FOLDER (a checkout of odoo/odoo) was given"
)
_USAGE: Final = 4  # pytest's own exit code for wrong options
_PACKAGE: Final = "/usr/lib/python3/dist-packages/odoo"  # hides the one of the image
_ADDONS: Final = "/mnt/odoo-addons"
_SERVER_WIDE: Final = "/usr/local/share/platform/server_wide_modules"
_DECORATOR: Final = """\
RUN python3 -c "import decorator" 2>/dev/null || { apt-get update \\
    && apt-get install -y --no-install-recommends python3-decorator \\
    && rm -rf /var/lib/apt/lists/*; }
"""


def check(folder: Path) -> Path:
    """The absolute path of a checkout of Odoo 18; ends the run for anything else."""
    release = folder / "odoo" / "release.py"
    if not release.is_file():
        pytest.exit(f"--odoo-source: {folder} is no checkout of Odoo: no {release}", _USAGE)
    found = re.search(r"^version_info = \((\d+), (\d+)", release.read_text(), re.MULTILINE)
    version = ".".join(found.groups()) if found else "of an unknown version"
    if version != VERSION:
        pytest.exit(f"--odoo-source: {folder} is Odoo {version}, not {VERSION}", _USAGE)
    return folder.resolve()


def put_in(checkout: Checkout, folder: Path) -> Checkout:
    """Make a clone that was not started yet run the Odoo in `folder`, on the image's Python.

    The clone given back has an image of its own, so that no other gets what is added here.
    """
    (checkout.root / "server_wide_modules").write_text("base,web\n")  # the image's are its own
    mounts = f"      - {folder}/odoo:{_PACKAGE}:ro\n"
    mounts += f"      - ./server_wide_modules:{_SERVER_WIDE}:ro\n"
    if (folder / "addons").is_dir():  # not so in an unpacked release, where all is in odoo/addons
        mounts += f"      - {folder}/addons:{_ADDONS}:ro\n"
        _insert(
            checkout.root / "odoo" / "odoo.conf", "addons_path = /mnt/extra-addons", f",{_ADDONS}"
        )
    _insert(checkout.root / "compose.yaml", "      - ./odoo:/etc/odoo:ro\n", mounts)
    # Odoo 19, which the image may have been made for, no longer needs it.
    _insert(checkout.root / "odoo" / "Dockerfile", "USER root\n", _DECORATOR)
    return replace(checkout, variables={"ODOO_IMAGE": f"localhost/ipai-test/odoo:{VERSION}"})


def rotates_softly(folder: Path | None) -> bool:
    """Whether that Odoo, or the image's where there is no folder, renews ids every 3 hours."""
    return not folder or "SESSION_ROTATION_INTERVAL" in (folder / "odoo" / "http.py").read_text()


def _insert(path: Path, after: str, text: str) -> None:
    content = path.read_text()
    assert after in content, f"{path.name} has no line {after!r}"
    path.write_text(content.replace(after, after + text))
