"""Takes secrets out of a support bundle: those that are known, and what looks like one."""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

from scripts.core import addresses, env_example, redact
from scripts.core.errors import OpsError
from scripts.core.settings import sources

_SHORTEST: Final = 6  # anything shorter also occurs by chance in ordinary text
_WORDS: Final = (
    r"(?:pass(?:wd|word|phrase)?|pwd|secret|token|api_?key|access_?key|private_?key|credential|"
    r"session_?id|sid|csrf|authorization|auth|signature|sig)"
)
_PATTERNS: Final = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.S), "***"),
    (re.compile(r"eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"), "***"),  # a JWT
    (re.compile(r"(://[^/@\s:'\"]*):[^/\s'\"]*@"), r"\1:***@"),
    (re.compile(r"(https?://)[^/@\s:'\"]{8,}@"), r"\1***@"),
    (re.compile(r"\b(Basic|Bearer|Digest|Token)\s+[\w.~+/=-]{6,}", re.I), r"\1 ***"),
    (re.compile(r"((?:Set-)?Cookie['\"]?\s*[:=]\s*).*", re.I), r"\1***"),
    (
        re.compile(
            rf"([\w.-]*{_WORDS}[\w.-]*[\"']?\s*(?:=>|[:=]|%3D)\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&]+)",
            re.I,
        ),
        r"\1***",
    ),
    (re.compile(r"\b(password\s+(?:is|was|for)?\s*)['\"]([^'\"]+)['\"]", re.I), r"\1***"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), "***"),
    (
        re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|sk-|sk_|rk_|xox[abprs]-|SG\.)[\w.-]{10,}"),
        "***",
    ),
    (re.compile(r"\$(?:pbkdf2|2[aby]|argon2|[156y])[\w-]*\$[^\s'\"]+"), "***"),
    (re.compile(r"(?:SCRAM-SHA-256\$|\bmd5(?=[0-9a-f]{32}\b))[^\s'\"]+"), "***"),
    (re.compile(r"AGE-SECRET-KEY-[A-Z0-9]+"), "***"),
    (
        re.compile(r"(hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/[^\s'\"]+"),
        r"\1/***",
    ),
    (re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)"), r"***@\1"),  # whose mail it is
    # Sessions, keys and the like: long, of letters and digits. Digests of images stay.
    (
        re.compile(
            r"(?<!sha256:)(?<![\w+=-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[A-Za-z0-9_+=-]{40,}(?![\w+=-])"
        ),
        "***",
    ),
)
_PAIR: Final = re.compile(r"^\s*(?:export\s+)?[\w.-]+\s*[=:]\s*(\S.*?)\s*$")
_URL_PASSWORD: Final = re.compile(r"://[^/@\s:]*:([^/\s]+)@")
_SECRET_OPTION: Final = re.compile(
    rf"^\s*([\w.-]*(?:{_WORDS}|key)[\w.-]*)\s*[=:]\s*(\S.*?)\s*$", re.I | re.M
)
_NO_VALUE: Final = re.compile(r"/[\w./-]*|True|False|None", re.I)


def scrubber(root: Path) -> Callable[[str], str]:
    """A function that masks the secrets of the installation in `root`, in every form of them."""
    known = {form for secret in _known(root) for form in _forms(secret)}
    longest_first = sorted(known, key=len, reverse=True)

    def scrub(text: str) -> str:
        for secret in longest_first:
            text = text.replace(secret, addresses.MASK)
        for pattern, mask in _PATTERNS:
            text = pattern.sub(mask, text)
        return text

    return scrub


def _known(root: Path) -> set[str]:
    """The values of secrets/, and those that `.env` and odoo.conf hold all the same."""
    found = set(_of_files(path for path in (root / "secrets").rglob("*") if path.is_file()))
    try:
        found_there = sources(root)
        values = {**found_there.stored.values, **_secrets_of(found_there.environment)}
    except OpsError:  # what cannot be parsed is masked whole
        values = {}
        found |= set(_pieces(env_text(root / ".env")))
    for name, value in values.items():
        if redact.is_secret(name, ""):
            found.add(value)
        found |= set(_URL_PASSWORD.findall(value))
        shown = redact.variable(name, value)
        if redact.is_webhook(name):
            found |= {part for a in addresses.split(value) for part in _parts(a.split("://")[-1])}
        elif shown != value:
            found |= _cut_out(value, shown)
    for path in (root / "odoo").glob("*.conf"):
        options = _SECRET_OPTION.findall(env_text(path))
        found |= {value for _, value in options if not _NO_VALUE.fullmatch(value)}
    return {value.strip() for value in found if len(value.strip()) >= _SHORTEST}


def _secrets_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Those that are settings, or seem to be secrets by their names."""
    shown = env_example.variables()
    return {n: v for n, v in environment.items() if n in shown or redact.is_secret(n, "")}


def _cut_out(value: str, shown: str) -> set[str]:
    """What `shown` has no more of `value`."""
    start = shown.find(addresses.MASK)
    end = len(shown) - start - len(addresses.MASK)
    cut = value[start : len(value) - end]
    return _parts(cut)


def _parts(cut: str) -> set[str]:
    """What was cut out of an address, and of it what may occur alone.

    Words without a digit are no secrets.
    """
    return {cut, *(part for part in re.split(r"[/?&=#:@]", cut) if re.search(r"\d", part))}


def _of_files(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        yield from _pieces(env_text(path))


def _pieces(text: str) -> Iterator[str]:
    """Lines, and the values of those that are NAME=VALUE."""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        yield line.strip()
        if pair := _PAIR.match(line):
            yield pair[1].strip("\"'")


def env_text(path: Path) -> str:
    """The text of a file, '' where it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        return ""


def _forms(secret: str) -> Iterator[str]:
    """As it is, in addresses, in JSON, and in base64 at each place within something longer."""
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield secret.replace("\\", "\\\\").replace('"', '\\"')
    raw = secret.encode()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + raw).decode().rstrip("=")
            # The signs at either end are of its neighbours, too.
            whole = text[(0, 2, 3)[before] : len(text) - (1 if (before + len(raw)) % 3 else 0)]
            if len(whole) >= _SHORTEST + 2:
                yield whole
