"""Forty secrets, planted where they occur, and searched in what the bundle would hold."""

import base64
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest

from scripts.core import sizes
from scripts.core.errors import UsageError
from scripts.core.settings import ROOT, Settings
from scripts.doctor import bundle
from scripts.doctor.report import Report
from scripts.doctor.scrub import scrubber
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says

_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLWp3dA"
_SESSION = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3kL5mN7pQ9rS1tU3vW5xY7zA9bC1dE3fG5hJ"
_TOKEN = "ghp" + "_abcdefghijklmnopqrstuvwxyz0123"  # in one piece it would look like a real one
_KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
_BEGIN = "-----BEGIN " + "PRIVATE KEY-----"
_SLACK = "xoxb" + "-1111-slack-bot-token"
_KEY_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
# In secrets/; name of the file and what it holds.
_SECRET_FILES = {
    "db_password.txt": "dbpw-one+two/three=4",
    "odoo_admin_password.txt": 'adm"in-pass\\word',
    "odoo_master_password.txt": "master-pass-3344",
    "backup_key.txt": "backup key of several words",
    "supabase_db_password.txt": "supa-db-4455",
    "supabase_jwt_secret.txt": "supa-jwt-secret-5566",
    "smtp_password.txt": "smtp-pass-6677",
    "supabase_cloud_db_password.txt": "cloud-pass-7788",
    "backup/credentials.env": "AWS_SECRET_ACCESS_KEY=aws-secret-8899",
    "backup/id_ed25519": "b3BlbnNzaC1rZXktdjEAAAAABG5v",
    "backup/rclone.conf": "pass = rclone-obscured-9900",
}
_ENV = {
    "BACKUP_REPOSITORY=rest:https://bob:rest-pw-1122@backup.example.com/x": "rest-pw-1122",
    "BACKUP_NOTIFY=https://hooks.example.com/services/T01/B02/hook-2233": "hook-2233",
    "HEALTH_NOTIFY=https://a.example.com/x,slack://slack-tok-22341/chan": "slack-tok-22341",
    "HEALTH_PING=https://hc-ping.com/2f1c-ping-33452": "2f1c-ping-33452",
    "MY_API_KEY=my-api-key-3345": "my-api-key-3345",
    "ODOO_EXTRA_TOKEN=extra-token-4456": "extra-token-4456",
    "THEIR_PASSWORD='quoted pass 5567'": "quoted pass 5567",
    "THEIR_CREDENTIALS=creds-6678": "creds-6678",
}
_CONF = {
    "admin_passwd = conf-admin-1231": "conf-admin-1231",
    "db_password = conf-db-1232": "conf-db-1232",
    "smtp_password = conf-smtp-1233": "conf-smtp-1233",
    "oauth_secret: conf-oauth-1234": "conf-oauth-1234",
    "license_key = conf-licence-1235": "conf-licence-1235",
    "[queue_job]\napi_token=conf-queue-1236": "conf-queue-1236",
}
# Lines of logs, which nothing but their look gives away.
_LOGS = {
    f"Authorization: Bearer {_JWT}": _JWT,
    "authorization: Basic dXNlcjpsb2ctYmFzaWMtMTEx": "dXNlcjpsb2ctYmFzaWMtMTEx",
    f"Cookie: frontend_lang=en_US; session_id={_SESSION}": _SESSION,
    "Set-Cookie: sid=short-cookie-22; Path=/": "short-cookie-22",
    "GET /web?token=query-token-333&x=1 HTTP/1.1": "query-token-333",
    "GET /web?access_token=query-access-444 HTTP/1.1": "query-access-444",
    "POST /web/login {'login': 'admin', 'password': 'form-pass-555'}": "form-pass-555",
    'payload {"api_key": "json-key-666"}': "json-key-666",
    "connecting to postgres://odoo:url-pass-777@odoo_db:5432/odoo": "url-pass-777",
    f"clone https://{_TOKEN}@github.com/x": _TOKEN,
    f"S3 key {_KEY_ID} used": _KEY_ID,
    "ALTER ROLE odoo PASSWORD 'sql-pass-888'": "sql-pass-888",
    "stored $pbkdf2-sha512$600000$c2FsdA$aGFzaC05OTk": "aGFzaC05OTk",
    "rolpassword SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy": "c3RvcmVk",
    f"{_BEGIN}\n{_KEY_BODY}\n-----END PRIVATE KEY-----": _KEY_BODY,
    "sent to jane.doe+x@customer.example": "jane.doe",
    "https://hooks.slack.com/services/T1/B2/slackhook1010": "slackhook1010",
    f"using {_SLACK}": _SLACK,
    "csrf_token=csrf-1212o99": "csrf-1212o99",
    "session aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9f ended": "aB3dE5fG7hJ9kL1mN3pQ5rS7",
}
_KEPT = (
    "2026-11-27 19:27:18,006 7 INFO odoo odoo.modules.loading: 12 modules loaded in 0.66s",
    'GET /web/login?debug=- HTTP/1.1" 200 - 25 0.012 0.034',
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "/usr/lib/python3/dist-packages/odoo/addons/base/models/ir_actions_report.py, line 42",
    "FATAL: role does not exist",
)


def _value(text: str) -> str:
    for separator in ("=", " = "):
        if text.startswith(("AWS_", "pass")) and separator in text:
            return text.partition(separator)[2].strip()
    return text


_SECRETS = [
    *map(_value, _SECRET_FILES.values()),
    *_ENV.values(),
    *_CONF.values(),
    *_LOGS.values(),
]


def _installation(root: Path) -> None:
    for name, text in _SECRET_FILES.items():
        path = root / "secrets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (root / ".env").write_text("".join(f"{line}\n" for line in _ENV))
    (root / "odoo").mkdir()
    (root / "odoo" / "odoo.conf").write_text("[options]\n" + "".join(f"{x}\n" for x in _CONF))
    for name in ("compose.yaml", sizes.PRODUCTION_FILE):
        (root / name).write_bytes((ROOT / name).read_bytes())


def _log() -> str:
    known = [*map(_value, _SECRET_FILES.values()), *_ENV.values(), *_CONF.values()]
    lines = [*_LOGS, *_KEPT]
    for secret in known:
        pair = base64.b64encode(f"login:{secret}".encode()).decode()
        plain = base64.b64encode(secret.encode()).decode()
        lines += [f"tried {secret} in vain", f"at {quote(secret, safe='')}", f"as {plain}", pair]
    return "\n".join(lines)


def _unpacked(root: Path) -> dict[str, str]:
    _installation(root)
    log = says(_log())
    runner = FakeRunner(
        {
            "docker ps": says('{"Service": "odoo", "Name": "odoo"}'),
            "docker compose logs": log,
            "docker info": log,
        }
    )
    stack = Stack(Settings.load(root), runner)
    target = bundle.write(stack, Report([], 2, 8 * sizes.GIB, []), str(root / "b.tar.gz"), 100)
    assert target.stat().st_mode & 0o777 == 0o600
    found = {}
    with tarfile.open(target) as archive:
        for entry in archive:
            assert entry.mode == 0o600
            stream = archive.extractfile(entry)
            assert stream
            found[entry.name.partition("/")[2]] = stream.read().decode()
    return found


def test_no_secret_is_in_the_bundle_in_any_form(tmp_path: Path) -> None:
    assert len(_SECRETS) >= 40
    files = _unpacked(tmp_path)
    assert {"logs/odoo.txt", "engine.txt", "settings.txt", "files/odoo.conf"} <= files.keys()
    assert "tried *** in vain" in files["logs/odoo.txt"], "the log is there"
    everything = "\n".join(files.values())
    for secret in _SECRETS:
        plain = base64.b64encode(secret.encode()).decode().rstrip("=")
        for form in (secret, quote(secret, safe=""), plain[:-1]):
            assert form not in everything, f"{secret} is in it"
    for secret in map(_value, _SECRET_FILES.values()):
        pair = base64.b64encode(f"login:{secret}".encode()).decode()
        assert pair not in everything


def test_what_helps_is_kept(tmp_path: Path) -> None:
    files = _unpacked(tmp_path)
    for line in _KEPT:
        assert line in files["logs/odoo.txt"]
    assert "postgres://odoo:***@odoo_db:5432/odoo" in files["logs/odoo.txt"]


def test_a_file_that_exists_is_not_written_over(tmp_path: Path) -> None:
    _installation(tmp_path)
    (tmp_path / "b").write_text("mine")
    stack = Stack(Settings.load(tmp_path), FakeRunner())
    with pytest.raises(UsageError, match="File exists"):
        bundle.write(stack, Report([], 0, 0, []), str(tmp_path / "b"), 10)
    assert (tmp_path / "b").read_text() == "mine"


def test_an_env_file_that_cannot_be_read_is_masked_whole(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A='open\nB=odd-value-77\n")
    assert scrubber(tmp_path)("saw odd-value-77") == "saw ***"
