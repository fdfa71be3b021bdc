"""The login page of the Odoo that serves the platform's database, as Nginx would ask for it."""

import time
import urllib.error
import urllib.request
from typing import Final

from toolbox.contract.backups import PageShown
from toolbox.core.errors import Failure

_URL: Final = "http://odoo:8069/web/login"
_SECONDS: Final = 180.0  # a first page after a restore compiles its assets
_ONCE_SECONDS: Final = 90.0
_POLL_SECONDS: Final = 1.0


def show() -> PageShown:
    """Ask until it is there; raises Failure with what Odoo says instead."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            with urllib.request.urlopen(_URL, timeout=_ONCE_SECONDS) as answer:
                return PageShown(status=answer.status)
        except urllib.error.HTTPError as error:
            said = f"Odoo answers its login page with {error.code}"
        except OSError as error:
            said = f"Odoo does not answer: {error}"
        if time.monotonic() > deadline:
            raise Failure(said, "Its log: docker service logs, of the service odoo")
        time.sleep(_POLL_SECONDS)
