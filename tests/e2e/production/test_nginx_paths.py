"""The database manager is shut, by whatever path one tries to reach it."""

import pytest

from tests.e2e.support.production import Production, assert_protected


@pytest.mark.parametrize(
    "path",
    [
        "/web/database",
        "/web/database/",
        "/web/database/manager",
        "/web/database/selector",
        "/web/database/list",
        "/web/database/manager?x=/../",
        "/web/../web/database/manager",
        "/web/./database/manager",
        "/x/..//web/database/manager",
        "//web//database/manager",
        "/web/%64atabase/manager",
        "/%77eb/database/manager",
        "/web/database%2fmanager",
        "/web%2fdatabase/manager",
        "/web/%2e%2e/web/database/manager",
        "/web/static/../database/manager",
        "/web/static/..%2fdatabase/manager",
        "/web/assets/..%2fdatabase/manager",
        "/odoo/../web/database/manager",
        "/web%5cdatabase/manager",
        "/WEB/DATABASE/MANAGER",
        "/web;x/database/manager",
        "/web/%2564atabase/manager",
        "/fr/web/database/manager",
        "/fr_FR/web/database/manager",
        "/es_419/web/database/manager",
        "/sr@latin/web/database/manager",
        "/fil/web/database/manager",
        "/fr//web/database/manager",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_database_manager_is_shut(production: Production, path: str, method: str) -> None:
    answer = production.ask(path, method=method)
    assert answer.status in ((404,) if method == "GET" else (404, 400))
    assert b"master_pwd" not in answer.body
    assert_protected(answer)


@pytest.mark.parametrize("language", ["fr", "fr_FR", "es_419", "sr@latin", "francais"])
def test_it_is_nginx_that_shuts_it_in_every_language(production: Production, language: str) -> None:
    # Odoo's website takes the language off and serves the rest of the path.
    answer = production.ask(f"/{language}/web/database/manager")
    assert (answer.status, "<center>nginx</center>" in answer.text) == (404, True)
