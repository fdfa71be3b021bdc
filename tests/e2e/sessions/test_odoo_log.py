"""What Odoo, 18 or 19, writes down of the addresses that it is asked for."""

import secrets

from tests.e2e.support.checkout import Checkout
from tests.support.waiting import eventually


def test_tokens_in_links_are_not_logged(platform: Checkout) -> None:
    secret, mark = f"s3cret{secrets.token_hex(6)}", f"m{secrets.token_hex(6)}"
    for path in ("/web/reset_password", "/web/login", f"/{mark}", "/web/session/logout"):
        platform.get(f"{path}?{mark}=1&token={secret}")

    def log() -> str:
        done = platform.run("docker", "logs", platform.container("odoo"))
        return done.stdout + done.stderr

    assert eventually(lambda: log().count(f"?{mark}=-&token=-") == 4, 10), log()
    assert secret not in log()
