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
| class of the model ir.mail_server | IrMailServer | IrMail_Server |
| its, and fetchmail.server's, method that connects | connect | _connect__ |
| its method that makes a message | build_email | _build_email__ |
| a connection to a mail server is | SMTPConnection | smtplib's own |

Source: odoo/modules/module.py, odoo/tools/config.py, odoo/sql_db.py, odoo/http.py and
odoo/addons/base/models/ir_mail_server.py of both.
"""

import smtplib
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


def mail_server_class() -> Any:
    """The class of the model ir.mail_server."""
    from odoo.addons.base.models import ir_mail_server

    name = "IrMail_Server" if series() >= (19, 0) else "IrMailServer"
    return getattr(ir_mail_server, name)


def mail_connect() -> str:
    """The method of ir.mail_server and of fetchmail.server that connects."""
    return "_connect__" if series() >= (19, 0) else "connect"


def mail_build() -> str:
    """The method of ir.mail_server that makes a message."""
    return "_build_email__" if series() >= (19, 0) else "build_email"


def sends_mail(servers: Any) -> bool:
    """Whether Odoo sends now; in tests, and while 19 loads a database, it only pretends."""
    from odoo.modules import module

    if series() >= (19, 0):
        return not servers._disable_send()
    return not module.current_test


def check_mail_server(row: Any, allow_archived: bool, sender: str) -> None:
    """Raises UserError for a row of ir.mail_server that must not be named for a message."""
    if series() >= (19, 0):
        row._check_forced_mail_server(row, allow_archived, sender)
    elif not allow_archived and not row.active:
        from odoo.exceptions import UserError

        raise UserError(f'The server "{row.display_name}" cannot be used because it is archived.')


def smtp_connection(address: tuple[str, int], encryption: str, context: Any) -> Any:
    """A connection of the kind that Odoo sends by; `encryption` is none, starttls or ssl."""
    from odoo.addons.base.models import ir_mail_server

    if series() < (19, 0):
        return ir_mail_server.SMTPConnection(*address, encryption, context=context)
    timeout = ir_mail_server.SMTP_TIMEOUT
    if encryption == "ssl":
        return smtplib.SMTP_SSL(*address, timeout=timeout, context=context)
    return smtplib.SMTP(*address, timeout=timeout)
