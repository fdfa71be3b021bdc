"""What servers keep of a password: values that prove one and from which none can be read."""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

_SCRAM_ROUNDS: Final = 4096  # PostgreSQL's scram_iterations
_ODOO_ROUNDS: Final = 600_000  # MIN_ROUNDS of Odoo's res.users
_SALT_BYTES: Final = 16
_ODOO: Final = re.compile(r"\$pbkdf2-sha512\$(\d+)\$([A-Za-z0-9./]+)\$([A-Za-z0-9./]+)")


def scram(password: str, salt: bytes = b"") -> str:
    """What PostgreSQL stores for `password` (RFC 5803), with a random salt by default.

    Given to ALTER ROLE in the password's place, it keeps that out of the server's log.
    `password` has to be ASCII, of which SASLprep changes nothing.
    """
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ROUNDS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_SCRAM_ROUNDS}:{parts[0]}${parts[1]}:{parts[2]}"


def odoo(password: str) -> str:
    """What Odoo stores for `password`: passlib's pbkdf2_sha512."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ODOO_ROUNDS)
    return f"$pbkdf2-sha512${_ODOO_ROUNDS}${_ab64(salt)}${_ab64(digest)}"


def odoo_takes(password: str, stored: str) -> bool:
    """Whether `stored` was made of `password`; never for another scheme than Odoo's own."""
    if not (found := _ODOO.fullmatch(stored.strip())):
        return False
    salt, wanted = _from_ab64(found[2]), _from_ab64(found[3])
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, int(found[1]))
    return hmac.compare_digest(digest, wanted)


def _ab64(data: bytes) -> str:
    return base64.b64encode(data, altchars=b"./").decode().rstrip("=")


def _from_ab64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"./")
