"""What Nginx keeps of Odoo's answers, and that nobody gets what is another's."""

import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.support.production import Production, asked_of_odoo, new_file, session_cookie
from tests.support.waiting import eventually


def test_a_static_file_is_fetched_once_and_kept_for_a_day(production: Production) -> None:
    path = new_file()
    answers = [production.once(path) for _ in range(5)]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    for answer in answers:
        assert answer.header("Cache-Control") == "max-age=86400"
        assert answer.header("Expires")
        assert answer.all("Set-Cookie") == []
    assert eventually(lambda: asked_of_odoo(production, path), 5) == 1


def test_of_fifty_who_ask_for_a_new_file_one_reaches_odoo(production: Production) -> None:
    path = new_file()
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda _: production.once(path).status, range(50)))
    assert found == [200] * 50
    assert eventually(lambda: asked_of_odoo(production, path), 5) == 1


def test_a_missing_file_is_not_kept(production: Production) -> None:
    path = f"/web/static/{secrets.token_hex(6)}.js"
    assert [production.once(path).status for _ in range(2)] == [404, 404]
    assert eventually(lambda: asked_of_odoo(production, path) == 2, 5)


_DECEPTIONS = [
    "/odoo/x.css",
    "/odoo/static/x.css",
    "/odoo/action-base.action_res_users/x.js",
    "/web/x.js",
    "/web/static/..%2f..%2fodoo",
    "/odoo/..%2fweb/static/src/x.css",
    "/odoo/%2e%2e/web/static/x.css",
    "/odoo;/web/static/x.css",
    "/odoo%3f/web/static/x.css",
    "/web/session/get_session_info/x.css",
]


@pytest.mark.parametrize("path", _DECEPTIONS)
def test_no_path_puts_somebodys_page_where_others_find_it(
    production: Production, admin: str, path: str
) -> None:
    # A file's name at the end, to trick a cache into keeping what admin sees.
    path = f"{path}?{secrets.token_hex(6)}"
    victim = production.ask(path, headers={"Cookie": admin})
    attacker = production.ask(path)
    assert "session_info" not in attacker.text or '"uid": false' in attacker.text
    own = {cookie.partition(";")[0] for cookie in victim.all("Set-Cookie")}
    assert not own & {cookie.partition(";")[0] for cookie in attacker.all("Set-Cookie")}


def test_the_page_of_the_deception_is_somebodys_indeed(production: Production, admin: str) -> None:
    # Otherwise the test above could not fail.
    page = production.ask("/odoo/x.css", headers={"Cookie": admin}).text
    assert re.search(r'"uid": \d', page)
    assert production.ask("/odoo/x.css").status == 303


def test_a_static_file_neither_takes_nor_gives_a_session(
    production: Production, admin: str
) -> None:
    path = new_file()
    for headers in ({"Cookie": admin}, {}, {"Cookie": admin}):
        assert production.once(path, headers=headers).all("Set-Cookie") == []


@pytest.mark.parametrize("path", ["/odoo/..%2fweb/static/x.css", "/odoo/%2e%2e/web/static/x.css"])
def test_what_only_looks_like_a_static_file_neither_takes_nor_gives_a_session(
    production: Production, admin: str, path: str
) -> None:
    # Nginx takes it for one; Odoo, which is asked for the path as it stands, does not.
    for headers in ({"Cookie": admin}, {}):
        answer = production.ask(path, headers=headers)
        assert answer.status in (303, 404)
        assert answer.all("Set-Cookie") == []


def test_bundles_never_hand_a_session_on(production: Production) -> None:
    found = re.search(r'href="(/web/assets/[^"]+\.css)"', production.ask("/web/login").text)
    assert found
    sessions = [session_cookie(production.ask(found[1])) for _ in range(3)]
    assert len(set(sessions)) == 3
    answer = production.ask(found[1])
    assert "immutable" in answer.header("Cache-Control")


def test_pages_are_never_kept(production: Production) -> None:
    sessions = [session_cookie(production.ask("/web/login")) for _ in range(3)]
    assert len(set(sessions)) == 3
