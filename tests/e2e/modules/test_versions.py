"""What odoo/odoo_versions.py says of manifests, asked of the Odoo that runs."""

import json

import pytest

from tests.e2e.support.module_sandbox import ModuleSandbox

pytestmark = pytest.mark.xdist_group("addons")

# As 18.0 (of 2025-04-21) and 19.0 (Debian's) enter them; None is refused.
RECORDED = {
    "1.0": ("18.0.1.0", "19.0.1.0"),
    "1.0.0": ("18.0.1.0.0", "19.0.1.0.0"),
    "18.0.1.0": ("18.0.1.0", None),
    "18.0.1.0.0": ("18.0.1.0.0", None),
    "19.0.1.0": (None, "19.0.1.0"),
    "19.0.1.0.0": (None, "19.0.1.0.0"),
    "17.0.1.0.0": (None, None),
    "17.0": ("18.0.17.0", "19.0.17.0"),
    "1": (None, None),
    "1.0.0.0": (None, None),
    "abc": (None, None),
}
_ASK = """
import json, sys, odoo_versions
def entered(version):
    try:
        return odoo_versions.manifest_version(version)
    except ValueError:
        return None
print(json.dumps([odoo_versions.series()[0], [entered(v) for v in json.loads(sys.argv[1])]]))
"""


def test_manifests_are_judged_as_this_odoo_does(shop: ModuleSandbox) -> None:
    done = shop.platform.exec("odoo", "python3", "-c", _ASK, json.dumps(list(RECORDED)))
    assert done.returncode == 0, done.stderr
    major, entered = json.loads(done.stdout)
    assert entered == [versions[major - 18] for versions in RECORDED.values()]
