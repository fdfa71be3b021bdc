"""How much of the disk unfinished uploads of strangers may take."""

from collections.abc import Iterator

import pytest

from tests.e2e.support.production import HEADERS, Production
from tests.e2e.support.raw import Streams
from tests.support.waiting import eventually

pytestmark = pytest.mark.serial  # the limits are counted

_MB = 1_000_000
_PATH = "/web/webclient/version_info"
_SITE = "conf.d/sites/odoo-prod.conf"


@pytest.fixture(scope="module", autouse=True)
def hasty(production: Production) -> Iterator[None]:
    """Any number a second, so that only those at a time are counted."""
    production.forget_limits()
    with production.changed(_SITE, "zone=odoo_limit burst=20", "zone=odoo_limit burst=5000"):
        yield
    production.forget_limits()


@pytest.fixture
def streams(production: Production) -> Iterator[Streams]:
    """A connection whose uploads are broken off at the end."""
    opened = Streams(production)
    yield opened
    opened.close()
    assert eventually(lambda: not _refused(production), 10)


def _announce(streams: Streams, count: int, length: int | None = 100 * _MB) -> list[int]:
    """The statuses of `count` uploads of which nothing comes yet: of those that are refused."""
    headers = {} if length is None else {"content-length": str(length)}
    for _ in range(count):
        streams.open(_PATH, "POST", headers, end=False)
    last = streams.open("/nginx-health")  # is answered when all before it were looked at
    streams.flush()
    while last not in streams.status:
        streams.read(len(streams.status) + 1, 10, to_the_end=False)
    return [status for stream, status in streams.status.items() if stream != last]


@pytest.mark.parametrize(
    ("length", "refused"),
    [(100 * _MB, 14), (17 * _MB, 14), (10 * _MB, 0), (2 * _MB, 0), (900_000, 0), (None, 14)],
)
def test_of_twenty_uploads_at_a_time_the_large_ones_wait(
    streams: Streams, length: int | None, refused: int
) -> None:
    assert _announce(streams, 20, length) == [429] * refused


def test_who_is_refused_learns_when_to_come_again(streams: Streams) -> None:
    assert _announce(streams, 7) == [429]
    [refused] = [stream for stream, status in streams.status.items() if status == 429]
    headers = streams.headers[refused]
    assert dict(headers)["retry-after"] == "2"
    for name, value in HEADERS.items():
        assert [v for n, v in headers if n == name.lower()] == [value]


@pytest.mark.parametrize(
    ("zone", "length"),
    [
        ("large_all 16", 100 * _MB),
        ("medium_all 60", 10 * _MB),
        ("small_all 500", 900_000),
        ("small 50", 900_000),
    ],
)
def test_all_visitors_together_have_a_limit_and_so_has_each_address(
    production: Production, zone: str, length: int
) -> None:
    few = zone.rpartition(" ")[0] + " 2"
    with production.changed(_SITE, f"limit_conn upload_{zone}", f"limit_conn upload_{few}"):
        streams = Streams(production)
        assert _announce(streams, 5, length) == [429] * 3
        streams.close()


def test_when_one_has_ended_the_next_may_begin(production: Production, streams: Streams) -> None:
    assert _announce(streams, 6) == []
    assert _refused(production)
    streams.close()
    assert eventually(lambda: not _refused(production), 10)


def _refused(production: Production) -> bool:
    """Whether a large upload is refused now; it is broken off at once if not."""
    attempt = Streams(production)
    try:
        return bool(_announce(attempt, 1))
    finally:
        attempt.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/web/login", "/web/image/x", "/web/static/x.js", "/websocket", "/web/health"]
)
def test_what_reads_has_no_body_worth_the_name(streams: Streams, path: str, method: str) -> None:
    # HTTP/2 need not announce a body, so that nothing tells this from any other request.
    stream = streams.open(path, method, end=False)
    streams.send_body(stream, 3 * _MB)
    streams.read(1, 10, to_the_end=False)
    assert streams.status == {stream: 413}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_reads_may_not_announce_a_body_either(streams: Streams, method: str) -> None:
    for length, status in (("66000", 413), ("9999", 0)):
        stream = streams.open("/web/login", method, {"content-length": length}, end=False)
        last = streams.open("/nginx-health")
        streams.flush()
        while last not in streams.status:
            streams.read(len(streams.status) + 1, 10, to_the_end=False)
        assert streams.status.get(stream, 0) == status


def test_more_than_odoo_takes_is_refused(streams: Streams) -> None:
    assert _announce(streams, 1, 128 * 1024 * 1024 + 1) == [413]


def test_an_upload_arrives_whole(production: Production) -> None:
    body = b'{"jsonrpc": "2.0", "params": {}, "id": "' + b"x" * 3 * _MB + b'"}'
    answer = production.ask(
        _PATH, method="POST", headers={"Content-Type": "application/json"}, body=body
    )
    assert answer.status == 200
    assert len(answer.json["id"]) == 3 * _MB
