{
    "name": "The platform's mail",
    "summary": "In development all mail goes to the catcher and no mailbox is read; in production"
    " the relay of SMTP_* is used where the database names no mail server",
    # Short, as Odoo takes README.md for reStructuredText where this is missing.
    "description": "Server-wide module; see README.md.",
    "version": "1.0",
    "category": "Hidden",
    "author": "ipai-platform",
    "license": "LGPL-3",
    "depends": ["base"],
    # There is nothing to install: server_wide_modules loads it.
    "installable": False,
}
