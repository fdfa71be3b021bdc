"""Looks at domains as a certificate authority would; runs inside the certbot container.

A program of its own, sent to that container's Python on standard input: it has
the network that the answers will come from, and the folder that Nginx serves.
Prints one JSON object: domain -> {"addresses": [...], "error": "", "body": ""}.
"""

import http.client
import json
import secrets
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

WEBROOT = Path("/var/www/acme/.well-known/acme-challenge")
SECONDS = 10
LONGEST = 200  # bytes of a foreign answer that are worth showing


def look(domain: str, token: str) -> dict[str, object]:
    """What DNS and port 80 of `domain` answer."""
    found: dict[str, object] = {"addresses": [], "error": "", "body": ""}
    try:
        entries = socket.getaddrinfo(domain, 80, proto=socket.IPPROTO_TCP)
    except OSError as error:
        return {**found, "error": f"dns: {error}"}
    found["addresses"] = sorted({str(entry[4][0]) for entry in entries})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://{domain}/.well-known/acme-challenge/{token}"
    try:
        with opener.open(url, timeout=SECONDS) as answer:
            found["body"] = answer.read(LONGEST).decode(errors="replace")
    except urllib.error.HTTPError as error:
        found["body"] = f"status {error.code}"
    except http.client.HTTPException as error:
        found["body"] = f"no HTTP: {error}".strip()[:LONGEST]
    except OSError as error:
        found["error"] = f"connection: {getattr(error, 'reason', error)}"
    return found


def main(domains: list[str]) -> dict[str, object]:
    """Write a token where Nginx serves it, and ask each of `domains` for it."""
    token = f"preflight-{secrets.token_hex(16)}"
    WEBROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    (WEBROOT / token).write_text(token)
    (WEBROOT / token).chmod(0o644)
    try:
        return {"token": token, "found": {domain: look(domain, token) for domain in domains}}
    finally:
        (WEBROOT / token).unlink()


if __name__ == "__main__":
    json.dump(main(sys.argv[1:]), sys.stdout)
