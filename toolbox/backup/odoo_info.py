"""Tells which Odoo this is and which modules it finds; `inv restore` compares a backup with it."""

import os
from pathlib import Path

import odoo_versions

from toolbox.contract.backups import OdooInfo
from toolbox.contract.codec import to_json


def read() -> OdooInfo:
    """The Odoo in this container, and the modules on its addons path."""
    import odoo
    import odoo.modules.module
    from odoo.tools import config

    config.parse_config(["-c", os.environ["ODOO_RC"]], setup_logging=False)
    odoo.modules.module.initialize_sys_path()
    folders = map(Path, dict.fromkeys(odoo.addons.__path__))
    found = {path.parent.name for folder in folders for path in folder.glob("*/__manifest__.py")}
    series = ".".join(map(str, odoo_versions.series()))
    return OdooInfo(odoo=series, modules=tuple(sorted(found)))


if __name__ == "__main__":
    print(to_json(read()))
