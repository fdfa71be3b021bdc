"""A registry on this machine, with one image under every name."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class TinyRegistry:
    """Has an image of one file, in which `content` is; another content is another image."""

    def __init__(self) -> None:
        self.content = "first"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def host(self) -> str:
        """What comes before the name of the image."""
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _blobs(self) -> tuple[bytes, dict[str, bytes]]:
        """The manifest, and what it names."""
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            member = tarfile.TarInfo("content")
            member.size = len(self.content)
            archive.addfile(member, io.BytesIO(self.content.encode()))
        packed = gzip.compress(layer.getvalue(), mtime=0)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer.getvalue())]},
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _described(_CONFIG, config),
                "layers": [_described(_LAYER, packed)],
            }
        ).encode()
        return manifest, {_digest(blob): blob for blob in (manifest, config, packed)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                manifest, blobs = registry._blobs()
                last = self.path.rpartition("/")[2]
                found = b"{}" if self.path == "/v2/" else blobs.get(last)
                if found is None and "/manifests/" in self.path and ":" not in last:
                    found = manifest
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", _MANIFEST)
                self.send_header("Content-Length", str(len(found or b"")))
                self.send_header("Docker-Content-Digest", _digest(found or b""))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(found or b"")

            do_HEAD = do_GET  # noqa: N815 - its name

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _described(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}
