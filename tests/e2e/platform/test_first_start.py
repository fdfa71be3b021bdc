"""One first start with all that may be odd about it, as each takes a minute.

Secrets and settings were saved on Windows (CR LF, and a byte order mark), Odoo is to use
unaccent, and the start is killed half-way.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support import images, logins
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.odoo_data import OdooData
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("first_start")

_MARK = b"\xef\xbb\xbf"
_Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class First:
    """The platform after its first start, and how that went."""

    platform: Checkout
    values: dict[str, str]  # of the secrets
    killed: int  # how the first command ended
    page: int  # what a visitor got then
    finished: _Done  # the second command


@pytest.fixture(scope="module")
def first(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[First]:
    platform = Checkout.clone(tmp_path_factory.mktemp("first") / "clone")
    images.write_settings(platform)
    assert platform.inv("secrets").returncode == 0
    values = _as_saved_on_windows(platform)
    conf = platform.root / "odoo" / "odoo.conf"
    conf.write_text(conf.read_text().replace("[options]\n", "[options]\nunaccent = True\n"))
    try:
        killed = _killed_half_way(platform)
        page = platform.get("/web/login")
        yield First(platform, values, killed, page, platform.inv("quickstart"))
    finally:
        platform.destroy()


def _as_saved_on_windows(platform: Checkout) -> dict[str, str]:
    """All secrets rewritten so; their values."""
    values = {}
    for path in (platform.root / "secrets").glob("*.txt"):
        values[path.stem] = path.read_text().strip()
        path.write_bytes(_MARK + values[path.stem].encode() + b"\r\n")
    env = platform.root / ".env"
    env.write_bytes(_MARK + env.read_bytes().replace(b"\n", b"\r\n"))
    return values


def _killed_half_way(platform: Checkout) -> int:
    starting = platform.start("./scripts/inv", "up")
    tables = "SELECT count(*) > 40 FROM pg_tables WHERE schemaname = 'public'"
    # Under this name it is filled; its own it gets when it is complete.
    psql = ["psql", "-U", "odoo", "-d", "odoo__unfinished", "-tAc", tables]
    ask = ["docker", "exec", f"{platform.project}-odoo_db-1", *psql]
    assert eventually(lambda: platform.run(*ask).stdout.strip() == "t", 120)
    platform.run("docker", "kill", platform.container("odoo_init"))
    starting.communicate(timeout=120)
    return starting.returncode


def test_a_killed_first_start_is_finished_by_the_next(first: First) -> None:
    assert first.killed == 1
    assert first.page != 200
    assert first.finished.returncode == 0, first.finished.stderr
    assert first.platform.authenticate("admin", "admin") is None
    assert first.platform.authenticate("admin", first.values["odoo_admin_password"]) == 2


def test_unaccent_in_odoo_conf_works_from_the_first_start(first: First) -> None:
    platform = first.platform
    status = "SELECT provolatile FROM pg_proc WHERE oid = 'public.unaccent(text)'::regprocedure"
    assert platform.sql(status) == "i"
    platform.sql("CREATE INDEX zz_name ON res_partner USING gin (unaccent(name) gin_trgm_ops)")
    assert list(OdooData(platform).back_up()["functions"]) == ["public.unaccent(text)"]


def test_a_platform_works_with_secrets_that_were_saved_on_windows(first: First) -> None:
    platform, values = first.platform, first.values
    assert str(platform.root / "secrets" / "odoo_admin_password.txt") in first.finished.stdout
    done = platform.inv("health")
    assert done.returncode == 0, done.stdout
    # As by hand, where nothing sets the password: the script reads it in the container.
    done = platform.exec("odoo_db", "sh", "/etc/platform/health", "odoo")
    assert "server answers" in done.stdout and "refused" not in done.stdout, done.stdout
    for command in (["backup"], ["restore", "--to-database", "aside", "--yes"]):
        done = platform.inv(*command)
        assert done.returncode == 0, done.stderr
    assert platform.inv("backup.key").stdout.strip() == values["backup_key"]
    up = ["--profile", "supabase", "up", "--detach", "--wait", "--no-build", "supabase_db"]
    assert platform.compose(*up).returncode == 0
    read = platform.exec("supabase_db", "cat", "/run/postgrest/jwt_secret")
    assert read.stdout == values["supabase_jwt_secret"]
    _still_works_where_they_were_saved_elsewhere(platform, values)


def _still_works_where_they_were_saved_elsewhere(
    platform: Checkout, values: dict[str, str]
) -> None:
    """Every reader has seen the bare value."""
    for name, value in values.items():
        (platform.root / "secrets" / f"{name}.txt").write_text(value)
    done = platform.inv("restart")
    assert done.returncode == 0, done.stderr
    assert platform.inv("backup").returncode == 0
    done = logins.authenticator(platform, values["supabase_db_password"])
    assert done.stdout.strip() == "7", done.stderr
