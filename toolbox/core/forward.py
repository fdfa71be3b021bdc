"""Hands connections on to a PostgreSQL elsewhere, for containers without a way out.

As bytes: TLS is between the two ends, and so the server's certificate is checked there. Its
name is resolved again for each connection, as a managed server moves by its name.
"""

import asyncio
import contextlib
import socket
import sys

from toolbox.core.progress import log

_CONNECT_SECONDS = 10
_CHUNK = 1 << 16


async def forward(host: str, port: int, *, listen: str, at: int) -> None:
    """Accept connections on `listen`, port `at`, and hand them on to `host`, port `port`; for ever.

    Raises OSError where it cannot listen there.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            connecting = asyncio.open_connection(host, port)
            there, back = await asyncio.wait_for(connecting, _CONNECT_SECONDS)
        except (OSError, TimeoutError) as error:
            log(f"{host}:{port} cannot be reached: {error or 'no answer'}")
            writer.close()
            return
        for one in (writer, back):
            _keep_alive(one)
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            for one in (writer, back):
                one.close()

    server = await asyncio.start_server(serve, listen, at, backlog=256)
    async with server:
        await server.serve_forever()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until `source` ends or one of them breaks; `target` hears of the end."""
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


def _keep_alive(stream: asyncio.StreamWriter) -> None:
    """A connection that idles must not be forgotten by what is in between."""
    found: socket.socket = stream.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def main() -> None:
    """`HOST PORT`: hand on what arrives at that port of any address of this container."""
    host, port = sys.argv[1], int(sys.argv[2])
    asyncio.run(forward(host, port, listen="0.0.0.0", at=port))


if __name__ == "__main__":
    main()
