"""Refuses a websocket that a page of another site opens with the cookie of a visitor of ours.

Browsers let every page open a websocket to every server, and send the server's cookies along;
all that a server can go by is the header Origin, which a page cannot change.
"""

from urllib.parse import urlsplit

from odoo import http
from werkzeug.exceptions import Forbidden

_PORTS = {"http": 80, "https": 443}


def install():
    """Put the check before the session is looked up."""
    post_init = http.Request._post_init

    def _post_init(request):
        environ = request.httprequest.environ
        upgrade = environ.get("HTTP_UPGRADE", "").lower()
        if "websocket" in upgrade and is_foreign(
            environ.get("HTTP_ORIGIN"), environ.get("HTTP_HOST", "")
        ):
            raise Forbidden("Websockets are for pages of this site only.")
        return post_init(request)

    http.Request._post_init = _post_init


def is_foreign(origin, host):
    """Whether a page of `origin` is of another site than `host`, the Host of the request.

    The scheme only says which port is meant where none is named: TLS may end at a proxy.
    None for `origin`, which no browser sends, is left to Odoo: it answers 400.
    """
    if origin is None:
        return False
    try:
        page = urlsplit(origin)
        if page.scheme not in _PORTS or not page.hostname:  # `null`, of a sandboxed frame
            return True
        ours = urlsplit(f"{page.scheme}://{host}")
        default = _PORTS[page.scheme]
        return (page.hostname, page.port or default) != (ours.hostname, ours.port or default)
    except ValueError:
        return True
