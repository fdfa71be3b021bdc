"""What each variable may be, and what is said of what it may not."""

import re
from pathlib import Path

import pytest

from scripts.core import env_example
from scripts.core.errors import UsageError
from scripts.core.settings import Settings
from scripts.core.values import Values

_NO_ADDRESS = [
    "localhost",
    "eth0",
    "1.2.3",
    "127.0.0.01",
    "10.0.0.0/8",
    "*",
    "fe80::1%eth0",
    "[::1",
]
_NO_PORT = ["eighty", "0", "65536", "-1", "80-90", "80/tcp"]
_NO_MEMORY = ["lots", "4GG", "4 iB", "-4G", "-1", "1,5G", "4Mi", "5M", "100", "0x10", "9999999P"]
_NO_WORKER_MEMORY = ["lots", "2 G", "-1", "100M", ".5G", "1,5G", "0"]
_NO_POSTGRES_MEMORY = ["1", "1gb", "1G", "1.5GB", "-1", "64kB", "2000GB"]
_NO_IMAGE = ["a b", "Postgres:16", "a:", "a:b:c", "a//b", "http://x/y", "-a", "a:.x", "a@sha256:1"]
_NO_PATH = ["~bob/bk"]
_WRONG = {
    "COMPOSE_PROJECT_NAME": ["Mine", "my project", "-x", "a.b"],
    "PLATFORM_ENV": ["production", "Prod"],
    "ODOO_DATABASE": ["Odoo", "od-oo", "postgres"],
    "ODOO_DEV": ["reload, xml", "reload;xml", ",", "--dev"],
    "ODOO_DOMAIN": ["*.example.com", "http://example.com", "192.0.2.1", "a,b"],
    "ODOO_ALIASES": ["yes"],
    "ACME_SERVER": ["http://ca.example.com", "ca"],
    "ACME_EMAIL": ["me", "me@", "a b@example.com"],
    "ACME_CA_FILE": _NO_PATH,
    "TRUSTED_PROXIES": ["cdn.example.com", "0.0.0.0/0", "10.0.0.1/8"],
    "NGINX_BIND": _NO_ADDRESS,
    "NGINX_HTTP_PORT": _NO_PORT,
    "NGINX_HTTPS_PORT": _NO_PORT,
    "ODOO_BIND": _NO_ADDRESS,
    "ODOO_PORT": _NO_PORT,
    "ODOO_DEBUG_PORT": _NO_PORT,
    "POSTGREST_BIND": _NO_ADDRESS,
    "POSTGREST_PORT": _NO_PORT,
    "IMAGE_SOURCE": ["docker", "Registry"],
    "BACKUP_CONTINUOUS": ["on", "True", "1"],
    "BACKUP_NETWORK": ["host", "edge2"],
    "BACKUP_DAYS": ["0", "14d", "366"],
    "BACKUP_QUEUE": ["0", "8G", "1.5"],
    "ODOO_PACKAGE": _NO_PATH,
    "ODOO_ENTERPRISE": _NO_PATH,
    "ODOO_ADDONS": ["addons", "~/addons"],
    "MAIL_BIND": _NO_ADDRESS,
    "MAIL_PORT": _NO_PORT,
    "CLONE_BIND": _NO_ADDRESS,
    "CLONE_PORT": _NO_PORT,
    "CLONE_DOMAIN": ["http://test", "a b", "-x"],
    "CLONE_DATABASE": ["Staging", "od-oo", "odoo__before", "postgres"],
    "CLONE_MEMORY": _NO_MEMORY,
    "PROMETHEUS_PORT": _NO_PORT,
    "PROMETHEUS_MEMORY": _NO_MEMORY,
    "PROMETHEUS_RETENTION": ["15", "0d", "15 d", "1d12h", "-1d", "15days"],
    "PROMETHEUS_IMAGE": _NO_IMAGE,
    "ALERTMANAGER_PORT": _NO_PORT,
    "ALERTMANAGER_MEMORY": _NO_MEMORY,
    "ALERTMANAGER_IMAGE": _NO_IMAGE,
    "EXPORTER_MEMORY": _NO_MEMORY,
    "POSTGRES_EXPORTER_IMAGE": _NO_IMAGE,
    "REDIS_EXPORTER_IMAGE": _NO_IMAGE,
    "NGINX_EXPORTER_IMAGE": _NO_IMAGE,
    "NODE_EXPORTER_IMAGE": _NO_IMAGE,
    "SMTP_HOST": ["smtp://relay", "a b"],
    "SMTP_PORT": _NO_PORT,
    "SMTP_ENCRYPTION": ["tls", "STARTTLS"],
    "SMTP_USER": ["two words"],
    "SMTP_FROM": ["me", "a@b c@d"],
    "SMTP_CA_FILE": _NO_PATH,
    "MAIL_CATCHER_IMAGE": _NO_IMAGE,
    "MAIL_MEMORY": _NO_MEMORY,
    "POSTGRES_IMAGE": _NO_IMAGE,
    "POSTGRES_EXTERNAL_HOST": ["DB.example.com", "10.0.0.5", "db:5432", "postgres://db"],
    "POSTGRES_EXTERNAL_PORT": _NO_PORT,
    "POSTGRES_EXTERNAL_USER": ["a b", "-x", "1a"],
    "POSTGRES_EXTERNAL_SSLMODE": ["on", "prefer"],
    "POSTGRES_EXTERNAL_CA_FILE": _NO_PATH,
    "POSTGRES_VOLUME": ["odoo_data", "odoo_db_data_", "odoo_db_data/17"],
    "SUPABASE_POSTGRES": _NO_IMAGE,
    "REDIS_IMAGE": _NO_IMAGE,
    "REDIS_EXTERNAL_HOST": ["Redis.example.com", "redis:6379", "rediss://redis", "a b"],
    "REDIS_EXTERNAL_PORT": _NO_PORT,
    "REDIS_EXTERNAL_USER": ["a b", "-x", "a:b"],
    "REDIS_EXTERNAL_DB": ["-1", "one"],
    "REDIS_EXTERNAL_PREFIX": ["s*:", "[s]:", "a b", "s$"],
    "REDIS_EXTERNAL_TLS": ["yes", "True"],
    "REDIS_EXTERNAL_CA_FILE": _NO_PATH,
    "REDIS_EXTERNAL_SENTINELS": ["one", "one:1, two:2", "one:port", "one:1,"],
    "REDIS_EXTERNAL_MASTER": ["a b", "-x"],
    "REDIS_EXTERNAL_SENTINEL_AUTH": ["yes", "1"],
    "NGINX_IMAGE": _NO_IMAGE,
    "CERTBOT_IMAGE": _NO_IMAGE,
    "POSTGREST_IMAGE": _NO_IMAGE,
    "BACKUP_BASE_IMAGE": _NO_IMAGE,
    "BACKUP_IMAGE": _NO_IMAGE,
    "ARCHIVER_MEMORY": _NO_MEMORY,
    "ODOO_BASE_IMAGE": _NO_IMAGE,
    "ODOO_IMAGE": _NO_IMAGE,
    "BACKUP_FOLDER": _NO_PATH,
    "BACKUP_REPOSITORY": ["./backups", "/mnt/backups", "ftp://host/x"],
    "BACKUP_HOST": ["my host", "-x", "a/b"],
    "BACKUP_KEEP": ["7", "7d 5w", "weekly"],
    "BACKUP_NOTIFY": ["example.com/hook", "https:///hook", "mailto:ops@example.com"],
    "HEALTH_NOTIFY": ["example.com/hook", "https://a.b/c d", "ntfy://"],
    "HEALTH_NOTIFY_REPEAT": ["24", "1s", "1000h"],
    "HEALTH_PING": ["hc-ping.com/1", "ntfy://a.b/c", "https://a.b,https://c.d e"],
    "SUPABASE_PROJECT_REF": ["short", "https://abcdefghijklmnopqrst.supabase.co"],
    "SUPABASE_CLOUD_HOST": ["postgres://h", "h:port"],
    "NGINX_MEMORY": _NO_MEMORY,
    "ODOO_MEMORY": _NO_MEMORY,
    "ODOO_CRON_MEMORY": _NO_MEMORY,
    "ODOO_WEBSOCKET_MEMORY": _NO_MEMORY,
    "ODOO_REPLICAS": ["-1", "65", "two"],
    "POSTGRES_MEMORY": _NO_MEMORY,
    "REDIS_MEMORY": _NO_MEMORY,
    "BACKUP_MEMORY": _NO_MEMORY,
    "SUPABASE_DB_MEMORY": _NO_MEMORY,
    "POSTGREST_MEMORY": _NO_MEMORY,
    "REDIS_MAXMEMORY": ["half", "50%", "1.5gb", "256 mb", "256mib", "-1"],
    "ODOO_WORKERS": ["many", "-1", "1.5", "257", "4 "],
    "ODOO_MAX_CRON_THREADS": ["-1", "65"],
    "ODOO_LIMIT_MEMORY_SOFT": _NO_WORKER_MEMORY,
    "ODOO_LIMIT_MEMORY_HARD": _NO_WORKER_MEMORY,
    "ODOO_DB_MAXCONN": ["0", "1001"],
    "ODOO_DB_MAXCONN_GEVENT": ["0", "1001"],
    "POSTGRES_SHARED_BUFFERS": _NO_POSTGRES_MEMORY,
    "POSTGRES_EFFECTIVE_CACHE_SIZE": _NO_POSTGRES_MEMORY,
    "POSTGRES_WORK_MEM": _NO_POSTGRES_MEMORY,
    "POSTGRES_MAINTENANCE_WORK_MEM": _NO_POSTGRES_MEMORY,
    "POSTGRES_MAX_CONNECTIONS": ["5", "10001"],
    "POSTGRES_SHM_SIZE": _NO_MEMORY,
    "LOG_FORMAT": ["xml", "JSON", "../text"],
    "SWARM_REGISTRY": ["https://images.example.com", "a b", "registry/"],
    "SWARM_VERSION": ["a b", "-1", "a/b"],
    "SWARM_GENERATION": ["a b", "a/b"],
    "SWARM_FILESTORE_DRIVER": ["a b"],
    "SWARM_FILESTORE_TYPE": ["nfs 4"],
    "SWARM_FILESTORE_OPTIONS": ["addr=10.0.0.5, nfsvers=4.2"],
    "SWARM_FILESTORE_DEVICE": [":/srv/my files"],
    "HEALTH_INTERVAL": ["5", "0s", "10m"],
}
_EACH = [(name, value) for name, values in _WRONG.items() for value in values]


@pytest.mark.parametrize(("name", "value"), _EACH)
def test_a_wrong_value_is_refused_before_anything_starts(
    tmp_path: Path, name: str, value: str
) -> None:
    (tmp_path / ".env").write_text(f"{name}='{value}'\n")
    with pytest.raises(UsageError) as caught:
        Settings.load(tmp_path)
    message = caught.value.message
    assert message.startswith(f"wrong settings: {name}"), message
    assert message.count(name) == 1
    assert not re.search(r"\[a-z|\\d|\\S|\)\?", message), "people do not read patterns"


@pytest.mark.parametrize("name", env_example.variables())
def test_every_variable_has_a_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert name in _WRONG, "say here which values are wrong"
    monkeypatch.setenv(name, "a\nb")
    with pytest.raises(UsageError, match=name):
        Settings.load(tmp_path)


def test_the_defaults_are_right(tmp_path: Path) -> None:
    shown = env_example.variables()
    assert len(shown) > 40
    (tmp_path / ".env").write_text("".join(f"{name}='{shown[name]}'\n" for name in shown))
    assert Settings.load(tmp_path) == Settings.load(tmp_path)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("0", 0),
        ("4G", 4 * 2**30),
        ("4g", 4 * 2**30),
        ("4 GB", 4 * 2**30),
        ("4GiB", 4 * 2**30),
        ("1.5G", 3 * 2**29),
        (".5g", 2**29),
        ("512m", 2**29),
        ("8388608", 2**23),
        ("8388608b", 2**23),
        ("1T", 2**40),
        ("8192k", 2**23),
    ],
)
def test_memory_is_what_docker_takes(value: str, size: int) -> None:
    values = Values({"X": value})
    assert (values.memory("X", "1G"), values.problems) == (size, [])


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("0", 0),
        ("1000", 1000),
        ("1k", 1000),
        ("1kb", 1024),
        ("256mb", 2**28),
        ("1GB", 2**30),
        ("2m", 2_000_000),
        ("7b", 7),
    ],
)
def test_memory_of_redis_is_what_redis_takes(value: str, size: int) -> None:
    values = Values({"X": value})
    assert (values.redis_memory("X", "1mb"), values.problems) == (size, [])


@pytest.mark.parametrize(
    "name",
    [
        "postgres",
        "postgres:16.15-bookworm",
        "localhost/ipai-platform/odoo:18.0",
        "a__b/c-d.e:V1",
        "images.example.com:5000/a/b:1",
        "[2001:db8::1]:5000/a",
        f"a@sha256:{'0' * 64}",
        f"a/b:1@sha256:{'f' * 64}",
        f"sha256:{'a' * 64}",
    ],
)
def test_an_image_may_have_every_name_that_docker_takes(name: str) -> None:
    values = Values({"X": name})
    assert (values.image("X", ""), values.problems) == (name, [])


@pytest.mark.parametrize(
    ("value", "address"),
    [("127.0.0.1", "127.0.0.1"), ("::", "::"), ("[::1]", "::1"), ("2001:db8::1", "2001:db8::1")],
)
def test_an_address_may_be_in_brackets(value: str, address: str) -> None:
    values = Values({"X": value})
    assert (values.address("X", ""), values.problems) == (address, [])


def test_an_error_shows_no_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "BACKUP_REPOSITORY=ftp://me:tops3cret@host/x\nACME_SERVER=http://t0ken@ca/dir?key=k3y\n"
        "BACKUP_NOTIFY=https://hooks.example.com/services/T0KEN /T0KEN\n"
    )
    with pytest.raises(UsageError) as caught:
        Settings.load(tmp_path)
    assert "ftp://me:***@host/x" in caught.value.message
    assert not re.search("tops3cret|t0ken|k3y|T0KEN", caught.value.message)
