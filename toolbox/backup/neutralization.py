"""Whether a neutralised copy could still send something to the outside."""

from contextlib import closing

from toolbox.core import postgres
from toolbox.core.errors import Failure

# What is alive, by table: a table that is not there belongs to a module that is not.
_ALIVE = {
    "ir_mail_server": (
        "mail servers",
        "SELECT name FROM ir_mail_server WHERE active AND smtp_host <> 'invalid'",
    ),
    "fetchmail_server": (
        "incoming mail servers",
        "SELECT name FROM fetchmail_server WHERE active",
    ),
    "payment_provider": (
        "payment providers",
        "SELECT code FROM payment_provider WHERE state NOT IN ('disabled', 'test')",
    ),
    "ir_act_server": (
        "webhooks",
        "SELECT id::text FROM ir_act_server WHERE state = 'webhook' AND webhook_url ~ '^https?:'",
    ),
    "ir_cron": (
        "scheduled actions",
        "SELECT cron_name FROM ir_cron WHERE active AND id NOT IN (SELECT res_id FROM"
        " ir_model_data WHERE model = 'ir.cron' AND module = 'base' AND name = 'autovacuum_job')",
    ),
}


def scan(database: str) -> list[str]:
    """The tables that have nothing alive in them; raises Failure with what is alive."""
    alive = []
    with closing(postgres.connect(database)) as connection, connection.cursor() as cursor:
        for table, (what, query) in _ALIVE.items():
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"public.{table}",))
            if not cursor.fetchone()[0]:
                continue
            cursor.execute(query)
            names = [str(name) for (name,) in cursor.fetchall()]
            if names:
                alive.append(f"{what}: {', '.join(names[:3])}")
    if alive:
        raise Failure(
            f"the copy is not neutralised: {'; '.join(alive)}",
            "A module does not neutralise it; it needs a data/neutralize.sql.",
        )
    return list(_ALIVE)
