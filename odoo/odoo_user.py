"""Dropping root: every program of ours that starts as root beside Odoo goes on as its user.

It is on the Python path of every container of Odoo (PYTHONPATH in compose.yaml). Edit by hand
freely; afterwards run `inv up`. The shell programs do the same by setpriv.
"""

import os
import pwd

HOME = "/var/lib/odoo"


def become_odoo() -> None:
    """Drop root for good, if this process has it; all that needs it has to be done by then."""
    if os.getuid() == 0:
        user = pwd.getpwnam("odoo")
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    os.environ["HOME"] = HOME
