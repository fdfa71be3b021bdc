"""Refuses a websocket that a page of another site opens with the cookie of a visitor of ours.

Browsers let every page open a websocket to every server, and send the server's cookies along;
all that a server can go by is the header Origin, which a page cannot change.
"""

from urllib.parse import urlsplit

from odoo import http
from werkzeug.exceptions import Forbidden

_SCHEMES = ("http", "https")


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

    Ports are compared by Nginx, which knows the published one; Odoo may get another.
    None for `origin`, which no browser sends, is left to Odoo: it answers 400.
    """
    if origin is None:
        return False
    try:
        page = urlsplit(origin)
        if page.scheme not in _SCHEMES or not page.hostname:  # `null`, of a sandboxed frame
            return True
        _ = page.port  # raises ValueError for one that is no number
        return page.hostname != urlsplit(f"{page.scheme}://{host}").hostname
    except ValueError:
        return True
