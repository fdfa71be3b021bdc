"""What Nginx writes down of the addresses that it is asked for."""

import itertools
import re
import secrets

from tests.e2e.support.production import NAME, Production
from tests.support.logged_paths import MASKED, READABLE
from tests.support.waiting import eventually

_LINE = r'"GET (\S*) HTTP/1\.1" 301 \d+ [\d.]+ "(.*)" "{}(\d+)"$'
_SITE = f"https://{NAME}"
_UNREADABLE = ("***", "***")


def _logged(production: Production, asked: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is logged of requests for a path from a page, in order."""
    mark = f"m{secrets.token_hex(6)}n"
    for number, (path, page) in enumerate(asked):
        # By HTTP, so that Nginx answers by itself, whatever the path.
        headers = {"User-Agent": f"{mark}{number}", "Referer": page}
        assert production.once(path, secure=False, headers=headers).status == 301

    def lines() -> dict[int, tuple[str, str]]:
        found = re.findall(_LINE.format(mark), production.logs("nginx"), re.MULTILINE)
        return {int(number): (path, page) for path, page, number in found}

    assert eventually(lambda: len(lines()) == len(asked), 10), lines()
    return [line for _, line in sorted(lines().items())]


def test_tokens_are_logged_neither_of_the_path_nor_of_the_query_nor_of_the_page_before(
    production: Production,
) -> None:
    table = [*MASKED, *zip(READABLE, READABLE, strict=True)]
    asked = itertools.chain.from_iterable(
        [(f"{path}?token=x", "") if n % 2 else (path, ""), ("/", f"{_SITE}{path}?token=x")]
        for n, (path, _) in enumerate(table)
    )
    logged = itertools.chain.from_iterable(
        [(f"{shown}?-" if n % 2 else shown, ""), ("/", f"{_SITE}{shown}?-")]
        for n, (_, shown) in enumerate(table)
    )
    assert _logged(production, list(asked)) == list(logged)


def test_where_there_are_too_many_tokens_to_mask_nothing_of_them_is_logged(
    production: Production,
) -> None:
    path, masked = f"/{'abcdef0123' * 2}", "/***"
    assert _logged(
        production,
        [
            (path * 3, f"{_SITE}{path * 3}"),
            (path * 6, ""),
            (path * 4, f"{_SITE}{path * 3}"),
            (path * 7, ""),
            ("/a" * 500, f"{_SITE}/web"),  # longer than any path of Odoo
        ],
    ) == [
        (masked * 3, f"{_SITE}{masked * 3}"),
        (masked * 6, ""),
        _UNREADABLE,
        _UNREADABLE,
        ("***", f"{_SITE}/web"),
    ]
