"""Keeps the values of query strings out of Odoo's log: links carry tokens that open sessions."""

import logging
import re

# Requests; those of the websocket server; dumps of threads, which name the request of each.
_LOGGERS = ("werkzeug", "longpolling", "odoo.tools.misc")
# Up to a space and nothing else: Odoo decodes addresses before they are logged, and " is part
# of some. After # it names the method that an RPC call is for.
_QUERY = re.compile(r"\?[^ #]*")
_VALUE = re.compile(r"=[^&]*")


class WithoutValues(logging.Filter):
    """Leaves the names of the parameters, not only of those that sound like a token.

    Another address may be in a value (`redirect`), with a token of its own.
    """

    def filter(self, record):
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit; the handler says so
            return True
        if "?" in message:
            record.msg = _QUERY.sub(lambda query: _VALUE.sub("=-", query[0]), message)
            record.args = None
        return True


def install():
    """Have all lines of the log about requests go through the filter."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(WithoutValues())
