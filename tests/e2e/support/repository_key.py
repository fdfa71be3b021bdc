"""Restic keys that open at once.

Restic chooses the cost of its key derivation so that each of its calls takes half a second of a
core: against passwords that can be guessed. `inv` generates a random one, and a test calls restic
up to a hundred times. So the key of a repository is replaced here by one of the same password and
content, as `restic key passwd` would, but of the least cost. Everything else stays as restic has
made it, and a rotation of the key (`inv secrets.rotate`) makes one of full cost again.

Format: https://restic.readthedocs.io/en/stable/100_references.html#keys-encryption-and-mac
"""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.poly1305 import Poly1305

_LEAST: Final = {"N": 2, "r": 1, "p": 1}
_NONCE, _MAC = 16, 16  # bytes
_looked_at: set[tuple[Path, bytes]] = set()  # a key and a password that it was tried with


def make_cheap(repository: Path, password_file: Path) -> None:
    """Replace those keys of a local repository that the password in that file opens."""
    if not password_file.is_file():
        return
    password = password_file.read_bytes().strip()
    for path in repository.glob("keys/*"):
        if (path, password) not in _looked_at:
            _looked_at.add((path, password))
            _make_cheap(path, password)


def _make_cheap(path: Path, password: bytes) -> None:
    try:
        key = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):  # another process has removed it, or writes it
        return
    content = _open(_derived(password, key), base64.b64decode(key["data"]))
    if content is None or key["N"] == _LEAST["N"]:
        return
    cheap = {**key, **_LEAST}
    cheap["data"] = base64.b64encode(_seal(_derived(password, cheap), content)).decode()
    text = json.dumps(cheap).encode()
    new = path.with_name(hashlib.sha256(text).hexdigest())
    partial = path.parents[1] / f"{new.name}.partial"
    partial.write_bytes(text)
    partial.chmod(0o400)
    os.chown(partial, path.stat().st_uid, path.stat().st_gid)
    partial.replace(new)
    path.unlink()


def _derived(password: bytes, key: dict[str, Any]) -> bytes:
    cost = {"n": key["N"], "r": key["r"], "p": key["p"]}
    salt = base64.b64decode(key["salt"])
    return hashlib.scrypt(password, salt=salt, **cost, maxmem=1 << 30, dklen=64)


def _crypt(key: bytes, nonce: bytes, text: bytes) -> bytes:
    cipher = Cipher(AES(key[:32]), CTR(nonce)).encryptor()
    return cipher.update(text) + cipher.finalize()


def _mac(key: bytes, nonce: bytes, text: bytes) -> bytes:
    """Poly1305-AES: the last 16 bytes of `key` are r, the 16 before them encrypt the nonce."""
    cipher = Cipher(AES(key[32:48]), ECB()).encryptor()
    return Poly1305.generate_tag(key[48:] + cipher.update(nonce) + cipher.finalize(), text)


def _seal(key: bytes, text: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    sealed = _crypt(key, nonce, text)
    return nonce + sealed + _mac(key, nonce, sealed)


def _open(key: bytes, sealed: bytes) -> bytes | None:
    """The content; None where `key` is not the one that it was sealed with."""
    nonce, text, mac = sealed[:_NONCE], sealed[_NONCE:-_MAC], sealed[-_MAC:]
    return _crypt(key, nonce, text) if _mac(key, nonce, text) == mac else None
