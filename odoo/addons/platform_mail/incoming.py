"""Incoming mail servers (fetchmail.server), which development does not ask.

A copy of production knows the company's mailbox. To fetch marks or deletes what is in it.
"""

import logging
import sys

import odoo_versions
from odoo.exceptions import UserError
from odoo.modules.registry import Registry

from .guard import REFUSAL

_logger = logging.getLogger(__name__)
_FETCHMAIL = "odoo.addons.mail.models.fetchmail"
_changed = []  # the class, once it is loaded: its module is no server-wide one
_said = []


def install():
    """Change the model as soon as a database loads it."""
    load = Registry.load

    def loading(registry, *arguments):
        names = load(registry, *arguments)
        if _FETCHMAIL in sys.modules and not _changed:
            _change(sys.modules[_FETCHMAIL].FetchmailServer)
        return names

    Registry.load = loading


def _change(model):
    _changed.append(model)
    model._fetch_mails = _skip  # of the scheduled action
    model.fetch_mail = _refuse  # of the button
    setattr(model, odoo_versions.mail_connect(), _refuse)


def _skip(self, *_, **__):
    if not _said:
        _said.append(True)
        _logger.info("Incoming mail servers are not asked: %s", REFUSAL)


def _refuse(self, *_, **__):
    raise UserError(f"This server is not asked: {REFUSAL}.")
