"""What differs between the versions of Odoo that this platform runs: nothing else asks for one.

It is on the Python path of every container of Odoo (PYTHONPATH in compose.yaml). Edit by hand
freely; afterwards run: ./scripts/inv restart --service odoo

| | 18.0 | 19.0 |
|---|---|---|
| a manifest of another series | adapt_version raises ValueError | check_version does |
| the configuration file is | config.rcfile | config["config"] |
| config["server_wide_modules"] | a text with commas | a list |
| demo data in a new database | unless --without-demo | only --with-demo |
| name of its connections | ODOO_PGAPPNAME | PGAPPNAME, which is libpq's own |
| identifiers that are none | left alone | ValueError |
| http.SESSION_DELETION_TIMER | since April 2025 | there |

Source: odoo/modules/module.py, odoo/tools/config.py, odoo/sql_db.py, odoo/http.py of both.
"""

from typing import Any


def series() -> tuple[int, int]:
    """Of this Odoo, such as (18, 0); `saas~18.2` is (18, 2)."""
    import odoo.release

    major, minor = odoo.release.version_info[:2]
    return (int(str(major).rpartition("~")[2].rpartition("-")[2]), int(minor))


def manifest_version(stated: str) -> str:
    """The version of a module as Odoo enters it: with the series in front.

    Raises ValueError for what this Odoo does not install, a module of another series above all.
    """
    from odoo.modules import module

    version: str = module.adapt_version(stated)
    if series() >= (19, 0):
        module.check_version(version, should_raise=True)
    return version


def configuration_file(config: Any) -> str:
    """The path of the file from which Odoo has read its options."""
    return str(config["config"] if series() >= (19, 0) else config.rcfile)


def is_server_wide(name: str, config: Any) -> bool:
    """Whether the server loads the module `name` before it opens a database."""
    named = config["server_wide_modules"]
    return name in (named.replace(" ", "").split(",") if isinstance(named, str) else named)


def demo_arguments() -> list[str]:
    """What `odoo` is told for demo data in a new database."""
    return ["--with-demo"] if series() >= (19, 0) else []


def application_variable() -> str:
    """The environment variable that names Odoo's connections in pg_stat_activity."""
    return "PGAPPNAME" if series() >= (19, 0) else "ODOO_PGAPPNAME"


def refuses_odd_identifiers() -> bool:
    """Whether revoking a session by what is no identifier is an error, or of no effect."""
    return series() >= (19, 0)


def rotated_seconds(http: Any) -> int:
    """How long a session id that was renewed stays good; `http` is Odoo's module of that name."""
    return int(getattr(http, "SESSION_DELETION_TIMER", 120))
