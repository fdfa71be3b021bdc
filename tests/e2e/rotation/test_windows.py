"""Secrets and settings that were saved on Windows: CR LF, and a byte order mark."""

from tests.e2e.support import logins
from tests.e2e.support.checkout import Checkout

_MARK = b"\xef\xbb\xbf"


def _as_saved_on_windows(platform: Checkout) -> dict[str, str]:
    """All secrets rewritten so; their values."""
    values = {}
    for path in (platform.root / "secrets").glob("*.txt"):
        values[path.stem] = path.read_text().strip()
        path.write_bytes(_MARK + values[path.stem].encode() + b"\r\n")
    env = platform.root / ".env"
    env.write_bytes(_MARK + env.read_bytes().replace(b"\n", b"\r\n"))
    return values


def test_a_platform_works_with_secrets_that_were_saved_on_windows(fresh: Checkout) -> None:
    values = _as_saved_on_windows(fresh)
    done = fresh.inv("quickstart")
    assert done.returncode == 0, done.stderr
    assert str(fresh.root / "secrets" / "odoo_admin_password.txt") in done.stdout
    assert fresh.authenticate("admin", values["odoo_admin_password"]) == 2
    for command in (["backup"], ["restore", "--to-database", "aside", "--yes"]):
        done = fresh.inv(*command)
        assert done.returncode == 0, done.stderr
    assert fresh.inv("backup.key").stdout.strip() == values["backup_key"]
    up = ["--profile", "supabase", "up", "--detach", "--wait", "--no-build", "supabase_db"]
    assert fresh.compose(*up).returncode == 0
    read = fresh.compose("exec", "-T", "supabase_db", "cat", "/run/postgrest/jwt_secret")
    assert read.stdout == values["supabase_jwt_secret"]
    _still_works_where_they_were_saved_elsewhere(fresh, values)


def _still_works_where_they_were_saved_elsewhere(fresh: Checkout, values: dict[str, str]) -> None:
    """Every reader has seen the bare value."""
    for name, value in values.items():
        (fresh.root / "secrets" / f"{name}.txt").write_text(value)
    done = fresh.inv("restart")
    assert done.returncode == 0, done.stderr
    assert fresh.inv("backup").returncode == 0
    done = logins.authenticator(fresh, values["supabase_db_password"])
    assert done.stdout.strip() == "7", done.stderr


def test_a_secret_in_another_encoding_is_named_before_anything_starts(fresh: Checkout) -> None:
    path = fresh.root / "secrets" / "db_password.txt"
    path.write_text(path.read_text(), encoding="utf-16")
    done = fresh.inv("up")
    assert done.returncode == 1
    assert "secrets/db_password.txt cannot be read" in done.stderr
    assert fresh.container("odoo_db") == ""


def test_settings_in_another_encoding_are_named(fresh: Checkout) -> None:
    env = fresh.root / ".env"
    env.write_text(env.read_text(), encoding="utf-16")
    done = fresh.inv("up")
    assert done.returncode == 2
    assert ".env is no UTF-8 text" in done.stderr and "Traceback" not in done.stderr
