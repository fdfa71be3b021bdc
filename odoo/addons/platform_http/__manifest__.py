{
    "name": "The platform's HTTP server",
    "summary": "Keeps RPC to the databases of dbfilter, refuses websockets of other sites, and"
    " answers 503 while PostgreSQL is away",
    # Short, as Odoo takes README.md for reStructuredText where this is missing.
    "description": "Server-wide module; see README.md.",
    "version": "1.0",
    "category": "Hidden",
    "author": "ipai-platform",
    "license": "LGPL-3",
    "depends": ["base", "web"],
    # Loaded by server_wide_modules; installed in a database only for its tests, which
    # need it to be installable. Anybody else is refused.
    "installable": True,
    "pre_init_hook": "refuse_installation",
}
