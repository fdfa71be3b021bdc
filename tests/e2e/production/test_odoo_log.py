"""What Odoo writes down of the addresses that it is asked for."""

import secrets

from tests.e2e.support.production import Production
from tests.support.waiting import eventually


def test_no_value_of_a_query_and_no_token_of_a_path_is_in_the_log_of_any_server(
    production: Production,
) -> None:
    secret, mark = f"s3cret{secrets.token_hex(6)}", f"m{secrets.token_hex(6)}"
    paths = [
        f"/web/reset_password?{mark}=1&token={secret}",
        f"/my/orders/1?{mark}=1&access_token={secret}",
        f"/web/login?{mark}=1&redirect=%2Fmy%3Faccess_token%3D{secret}",
        f"/survey/start/{secret}a1b2c3d4?{mark}=1&a=b",
        f"/websocket?{mark}=1&token={secret}",  # another process, with a logger of its own
    ]
    for path in paths:
        assert production.ask(path).status < 500

    def logged() -> list[str]:
        return [line for line in production.logs("odoo").splitlines() if f"?{mark}=-&" in line]

    assert eventually(lambda: len(logged()) == len(paths), 10), logged()
    assert [line for line in logged() if "longpolling" in line]
    assert secret not in production.logs("odoo")
