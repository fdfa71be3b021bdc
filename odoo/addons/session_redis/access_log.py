"""Keeps tokens out of Odoo's log, which open what they are for: of query strings all values, of
paths each part that looks like one. Nginx does so too, by nginx/snippets/access-log.conf.
"""

import logging
import re

# Requests; those of the websocket server; dumps of threads, which name the request of each;
# forms without a CSRF token; paths for which there is no page in any language.
_LOGGERS = (
    "werkzeug",
    "longpolling",
    "odoo.tools.misc",
    "odoo.http",
    "odoo.addons.http_routing.models.ir_http",
)
# Up to a space and nothing else: Odoo decodes addresses before they are logged, and " is part
# of some. After # it names the method that an RPC call is for.
_QUERY = re.compile(r"\?[^ #]*")
_VALUE = re.compile(r"=[^&]*")

_MASK = "***"
# What may follow a part of a path, which begins after a slash: the colours of a terminal, too.
_END = r"""(?=[/?#\s"'()\x1b]|$)"""
_CHARACTER = "(?:[A-Za-z0-9_=~-]|%(?:2[Dd]|3[Dd]|5[Ff]|7[Ee]))"
_PLAIN = "[A-Za-z0-9]"
# Tokens by their form. Readable addresses are words and numbers with hyphens or underscores
# between; names of files have a dot. nginx/snippets/access-log.map explains each line.
_TOKEN = re.compile(
    "(?<=/)(?:"
    r"(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{20,}"
    rf"|(?=[0-9]*[A-Fa-f])(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{{16,19}})(?=[.]|{_END})"
    rf"|eyJ[A-Za-z0-9_.=~-]{{17,}}{_END}"
    rf"|(?={_CHARACTER}{{20,}}{_END})"
    rf"(?:(?={_CHARACTER}*?(?<!{_PLAIN})(?={_PLAIN}*[0-9][A-Za-z]){_PLAIN}{{20,}})"
    rf"|(?={_CHARACTER}*[A-Z])(?={_CHARACTER}*[a-z])"
    rf"(?={_CHARACTER}*(?:[0-9][A-Za-z]|[A-Za-z][0-9]))){_CHARACTER}+)"
)
# Short ones by their place, on its own or in an address, with or without a language.
_PLACE = re.compile(
    r"""((?:^|(?<=[\s'"(])|://[^/\s]*)(?:/[a-z]{2,3}(?:[_@-][A-Za-z0-9]+)?)?/"""
    "(?:(?:r|s|coupon|chat/[0-9]+|pos_customer_display/[0-9]+|sms/[0-9]+(?:/unsubscribe)?)/"
    rf"|(?:chat|meet)/(?![0-9]+{_END})))[^/?#\s\"'\x1b]+"
)


class WithoutTokens(logging.Filter):
    """Leaves the names of the parameters, not only of those that sound like a token.

    Another address may be in a value (`redirect`), with a token of its own.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit; the handler says so
            return True
        if (shown := without_tokens(message)) != message:
            record.msg, record.args = shown, None
        return True


def without_tokens(message: str) -> str:
    """`message` as it may be kept."""
    if "?" in message:
        message = _QUERY.sub(lambda query: _VALUE.sub("=-", query[0]), message)
    return _PLACE.sub(rf"\1{_MASK}", _TOKEN.sub(_MASK, message))


def install() -> None:
    """Have all lines of the log about requests go through the filter."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(WithoutTokens())
