"""Nothing that costs Odoo work is uncounted: one address does not keep the others waiting."""

import re
import secrets
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.e2e.support.production import Production, asked_of_odoo
from tests.e2e.support.raw import Streams, at_once, tally

pytestmark = pytest.mark.serial  # the limits are counted, and the clock watched

# How long half of the pages may take beside expensive requests. With the limits it is 0.1 s, and
# 0.6 s on a machine with five times as much to do as it can; without them it was 3 to 14 s.
_PATIENCE = 3.0
_SLOWER = 30  # a slower machine: as many times as long as a page takes there alone


@pytest.fixture(autouse=True)
def no_history(production: Production) -> Iterator[None]:
    """Counters at nothing before and after each test; what was begun ends meanwhile."""
    production.forget_limits()
    yield
    production.forget_limits()


@pytest.mark.parametrize(
    "path", ["/web/health?db_server_status=1", "/web/health?x", "/websocket/health", "/logo.png"]
)
def test_what_asks_the_database_is_counted_as_a_page(production: Production, path: str) -> None:
    found = tally(at_once(production, path, 60))
    assert found[429] >= 37


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/web/assets/debug/web.assets_nothing.js"),
        ("HEAD", "/web/assets/debug/web.assets_nothing.js"),
        ("POST", "/web/assets/debug/web.assets_nothing.js"),
        ("GET", "/web/assets/any/web.assets_nothing.min.js"),
        ("GET", "/web/assets/%25/web.assets_nothing.min.js"),
        ("GET", "/web/assets/1/debug/web.assets_nothing.js"),
        ("GET", "/fr/web/assets/d%65bug/web.assets_nothing.js"),
        ("GET", "/web/assets/012345/web.assets_nothing.min.js"),
    ],
)
def test_a_bundle_of_no_version_is_made_one_at_a_time(
    production: Production, method: str, path: str
) -> None:
    mark = secrets.token_hex(6)
    streams = Streams(production)
    for _ in range(60):
        streams.open(f"{path}?{mark}", method)
    streams.flush()
    streams.read(30, 20, to_the_end=False)
    answers = list(streams.status.values())
    streams.close()
    assert answers.count(429) >= 29  # 31 may wait; of which one passed, and one each 2 s
    assert asked_of_odoo(production, mark) <= 4


def test_a_version_that_is_none_is_soon_refused(production: Production) -> None:
    found = at_once(production, "/web/assets/0000000/web.assets_nothing.min.js", 150)
    assert found.count(429) >= 40


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/web/image/res.company/1/logo/{}x77", marks=pytest.mark.extended),
        pytest.param("/web/static/{}.js", marks=pytest.mark.extended),
        "/web/content/{}",
    ],
)
def test_pictures_and_files_wait_for_their_turn(production: Production, path: str) -> None:
    # Each is another one, so that Nginx keeps none.
    streams = Streams(production)
    begun = time.monotonic()
    for number in range(400):
        streams.open(path.format(number + 100))
        if number % 100 == 99:
            streams.flush()
            streams.read(number + 1)
    assert 429 not in streams.status.values()
    assert time.monotonic() - begun > (400 - 200) / 50 - 1


@pytest.mark.parametrize(
    "path",
    [
        "/web/assets/debug/web.assets_web.js",
        pytest.param("/web/assets/any/web.assets_web.min.css", marks=pytest.mark.extended),
        pytest.param("/web/assets/0000000/web.assets_web.min.js", marks=pytest.mark.extended),
        pytest.param("/web/health?db_server_status=1", marks=pytest.mark.extended),
        "/web/image/res.company/1/logo/333x333",
        pytest.param("/web/static/nothing.js", marks=pytest.mark.extended),
    ],
)
def test_who_asks_for_what_is_expensive_keeps_nobody_waiting(
    production: Production, path: str
) -> None:
    at_once(production, "/web/login", 8)  # each worker is slow with its first page
    alone = statistics.median(_page_seconds(production) for _ in range(3))
    streams = Streams(production)
    try:
        for _ in range(100):
            streams.open(path)
        streams.flush()
        waited = []
        for _ in range(8):
            waited.append(_page_seconds(production))
            time.sleep(0.5)
        # Not the longest: the first page waits for those of a hundred small pictures before it.
        assert statistics.median(waited) < max(_PATIENCE, _SLOWER * alone), (waited, alone)
    finally:
        streams.close()


def _page_seconds(production: Production) -> float:
    begun = time.monotonic()
    # Who asks too often for pages is refused the next one, at once.
    assert production.once("/web/login").status in (200, 429)
    return time.monotonic() - begun


def test_a_page_with_debug_assets_still_loads(production: Production) -> None:
    page = production.ask("/web/login?debug=assets").text
    bundles = re.findall(r'(?:src|href)="(/web/assets/debug/[^"]+)"', page)
    assert bundles
    assert tally(at_once_each(production, bundles)) == {200: len(bundles)}


def at_once_each(production: Production, paths: list[str]) -> list[int]:
    """The statuses of one request for each of `paths`, sent in one write."""
    streams = Streams(production)
    try:
        for path in paths:
            streams.open(path)
        streams.flush()
        streams.read(len(paths))
        return list(streams.status.values())
    finally:
        streams.close()
