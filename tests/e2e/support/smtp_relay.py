"""A mail relay with STARTTLS and a login, as providers have them; tells on standard output.

Run in a container with the certificate in /relay: python3 smtp_relay.py USER PASSWORD. It
refuses what goes to refused@… and comes from foreign@…, prints each message that it takes as a
line of JSON, and keeps nothing. Port 587.
"""

import base64
import json
import socketserver
import ssl
import sys
from pathlib import Path

_FOLDER = Path("/relay")
_REFUSED = b"550 5.7.1 not here"


class Dialogue(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Answer until the client leaves."""
        self.secure = self.known = False
        self.sender, self.recipients = "", list[str]()
        self.say(b"220 relay.test")
        while line := self.rfile.readline().strip():
            verb, _, rest = line.decode().partition(" ")
            if verb.upper() == "QUIT":
                return self.say(b"221 bye")
            method = getattr(self, f"on_{verb.lower()}", None)
            if reply := method(rest) if method else b"502 what?":
                self.say(reply)
        return None

    def say(self, reply: bytes) -> None:
        """Send a reply."""
        self.wfile.write(reply + b"\r\n")
        self.wfile.flush()

    def on_ehlo(self, _: str) -> bytes:
        """What there is: a login only where nobody listens."""
        return b"250-relay.test\r\n250 " + (b"AUTH PLAIN" if self.secure else b"STARTTLS")

    def on_starttls(self, _: str) -> bytes:
        """The rest is encrypted."""
        self.say(b"220 go ahead")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_FOLDER / "chain.pem", _FOLDER / "key.pem")
        self.request = context.wrap_socket(self.request, server_side=True)
        self.setup()
        self.secure = True
        return b""

    def on_auth(self, rest: str) -> bytes:
        """Whether user and password are right."""
        _, user, password = base64.b64decode(rest.split()[-1]).decode().split("\0")
        self.known = self.secure and [user, password] == sys.argv[1:3]
        return b"235 2.7.0 welcome" if self.known else b"535 5.7.8 wrong password"

    def on_mail(self, rest: str) -> bytes:
        """Who sends."""
        self.sender, self.recipients = rest, []
        if not self.known:
            return b"530 5.7.0 log in first"
        return _REFUSED if "foreign@" in rest else b"250 ok"

    def on_rcpt(self, rest: str) -> bytes:
        """Who gets it."""
        self.recipients.append(rest)
        return _REFUSED if "refused@" in rest else b"250 ok"

    def on_rset(self, _: str) -> bytes:
        """Forget the message."""
        return b"250 ok"

    def on_data(self, _: str) -> bytes:
        """Take it."""
        self.say(b"354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.decode(errors="replace"))
        found = {"from": self.sender, "to": self.recipients, "text": "".join(lines)}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
        return b"250 2.0.0 queued as 4711"


class Relay(socketserver.ThreadingTCPServer):
    """All of them."""

    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Relay(("0.0.0.0", 587), Dialogue).serve_forever()
