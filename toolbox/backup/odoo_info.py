"""Tells which Odoo this is and which modules it finds; `inv restore` compares a backup with it."""

import json
import os
from pathlib import Path

import odoo
import odoo.modules.module
import odoo_versions
from odoo.tools import config

config.parse_config(["-c", os.environ["ODOO_RC"]], setup_logging=False)
odoo.modules.module.initialize_sys_path()
folders = map(Path, dict.fromkeys(odoo.addons.__path__))
names = {found.parent.name for folder in folders for found in folder.glob("*/__manifest__.py")}
version = ".".join(map(str, odoo_versions.series()))
print(json.dumps({"odoo": version, "modules": sorted(names)}))
