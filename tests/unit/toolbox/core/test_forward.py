"""Connections that are handed on to a server elsewhere."""

import asyncio

import pytest

from toolbox.core import forward


async def _upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers when the other side has said all, as it sees it."""
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


async def _through(port: int, said: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    writer.write_eof()
    heard = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return heard


async def _free_port() -> int:
    probe = await asyncio.start_server(_upper, "127.0.0.1", 0)
    port: int = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    return port


async def _forwarding(port: int, at: int) -> asyncio.Task[None]:
    task = asyncio.create_task(forward.forward("127.0.0.1", port, listen="127.0.0.1", at=at))
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", at)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return task
    raise AssertionError("it does not listen")


def test_bytes_and_their_end_go_both_ways_for_many_at_once() -> None:
    async def run() -> list[bytes]:
        server = await asyncio.start_server(_upper, "127.0.0.1", 0)
        task = await _forwarding(server.sockets[0].getsockname()[1], await _free_port_of(ports))
        said = [bytes([97 + number]) * 300_000 for number in range(8)]
        heard = await asyncio.gather(*(_through(ports[0], one) for one in said))
        task.cancel()
        server.close()
        return heard

    ports: list[int] = []
    assert asyncio.run(run()) == [bytes([65 + number]) * 300_000 for number in range(8)]


async def _free_port_of(ports: list[int]) -> int:
    ports.append(await _free_port())
    return ports[0]


def test_a_server_that_is_away_is_told_and_the_next_connection_tried(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def run() -> tuple[bytes, bytes]:
        there = await _free_port()
        task = await _forwarding(there, await _free_port_of(ports))
        away = await _through(ports[0], b"a")
        server = await asyncio.start_server(_upper, "127.0.0.1", there)
        back = await _through(ports[0], b"a")
        task.cancel()
        server.close()
        return away, back

    ports: list[int] = []
    assert asyncio.run(run()) == (b"", b"A")
    assert "cannot be reached" in capsys.readouterr().err
