"""Sends files whole to who asks Odoo past Nginx, which alone can act on X-Accel-Redirect.

wkhtmltopdf does, for styles and pictures of a report: it is told to ask `report.url`, the server
itself. With --x-sendfile it would get empty files, and print a report without them.
"""

import copy
import functools

from odoo import http


def install():
    """Look at each answer that is a file."""
    http.Stream.get_response = _whole(http.Stream.get_response)


def _whole(get_response):
    @functools.wraps(get_response)
    def answered(self, *args, **options):
        response = get_response(self, *args, **options)
        if "X-Accel-Redirect" not in response.headers or _came_by_nginx():
            return response
        content = copy.copy(self)
        content.type, content.data = "data", self.read()
        return get_response(content, *args, **options)

    return answered


def _came_by_nginx():
    # Nginx says so with every request, and overwrites what a browser says.
    return "X-Forwarded-Host" in http.request.httprequest.headers
