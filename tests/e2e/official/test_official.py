"""What the platform relies on in official images, and what it puts up with."""

import base64
import json
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import official_images
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.production import NAME, OTHER_NAME, Production
from tests.e2e.support.template import unstarted
from tests.support.waiting import eventually

_CLI = ("sh", "/etc/platform/cli")
_COPY = "copy"
# All that says a word about it: perl, bash, Python, and PostgreSQL's own programs.
_LOCALE = re.compile(r"locale|LC_ALL|LANG\b", re.IGNORECASE)
_MODULE = "zz_official"


def test_a_platform_that_came_from_other_images_is_well(official: Production) -> None:
    assert official.ask("/web/login").status == 200
    done = official.inv("health")
    assert done.returncode == 0, done.stdout
    assert not re.search("warning|fail", done.stdout, re.IGNORECASE), done.stdout


def test_every_script_of_nginxs_image_has_run(official: Production) -> None:
    """Each has the list of those after it as its STDIN: one that reads it is the last that runs."""
    log = official.logs("nginx")
    names = re.findall(r"(?:launching|sourcing) /docker-entrypoint\.d/([\w.-]+)", log)
    assert names == [
        "10-listen-on-ipv6-by-default.sh",
        "15-local-resolvers.envsh",
        "20-envsubst-on-templates.sh",
        "25-trusted-proxies.sh",
        "30-gate.sh",
        "30-tune-worker-processes.sh",
    ]
    assert "not executable: /docker-entrypoint.d/40" in log
    configuration = official.execute("nginx", "nginx", "-T")
    assert f"\nserver_name {NAME} {OTHER_NAME};" in configuration
    assert "geo $realip_remote_addr $from_proxy {" in configuration


def test_nginx_starts_from_folders_that_its_image_would_write_to(official: Production) -> None:
    """Of development: there is a default.conf, which may not be changed."""
    development = ["--file", "compose.yaml", "run", "--rm", "--no-deps"]
    tune = ["--env", "NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE=1"]
    done = official.compose(*development, *tune, "nginx", "nginx", "-t")
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "test is successful" in said, said
    assert "read-only: /etc/nginx/nginx.conf" in said
    assert "no IPv6 here" in said or "read-only: /etc/nginx/conf.d/default.conf" in said


def test_files_of_another_uid_became_odoos_and_new_ones_are_served(
    official: Production, admin: str
) -> None:
    uid = official_images.UIDS["odoo"]
    assert official.execute("odoo", "id", "-u", "odoo").strip() == str(uid)
    others = ["find", "/var/lib/odoo", "!", "-user", "odoo"]
    assert official.execute("odoo", *others, user="odoo") == ""
    content = os.urandom(50_000)
    assert _content(official, admin, _attach(official, admin, content)) == content
    fresh = ["find", "/var/lib/odoo/filestore/odoo", "-size", "50000c", "-printf", "%U %m\\n"]
    assert f"{uid} 644" in official.execute("odoo", *fresh, user="odoo").splitlines()


def test_odoo_runs_as_its_images_user_and_tells_its_password_to_nobody(
    official: Production,
) -> None:
    top = ["docker", "top", official.container("odoo"), "-eo", "pid,uid,args"]
    lines = official.run(*top).stdout.splitlines()
    assert any("docker-init" in line for line in lines)  # of root, as in every container
    servers = [line for line in lines if "--db-filter" in line and "docker-init" not in line]
    assert len(servers) > 4
    assert {line.split()[1] for line in servers} == {str(official_images.UIDS["odoo"])}
    secret = (official.root / "secrets" / "db_password.txt").read_text().strip()
    assert not any(secret in line or "--db_password" in line for line in servers)


def test_sessions_are_in_a_redis_of_another_uid(official: Production, admin: str) -> None:
    sid = admin.partition("=")[2]
    assert official.execute("redis", *_CLI, "exists", f"session:{sid[:42]}").strip() == "1"
    uid = official_images.UIDS["redis"]
    status = official.execute("redis", "sh", "-c", "cat /proc/$(pidof redis-server)/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(fields["Uid"].split()) == {str(uid)}
    assert "0" not in fields["Groups"].split() + fields["Gid"].split()
    kept = ["find", "/data", "-type", "f", "-printf", "%U %m\\n"]
    assert set(official.execute("redis", *kept).splitlines()) == {f"{uid} 600"}


@pytest.mark.parametrize(
    "command",
    [
        ("psql", "-X", "-d", "odoo", "-c", "SELECT 1"),
        ("pg_dump", "--version"),
        ("odoo", "--version"),
        ("bash", "-c", "true"),
        ("perl", "-e", "1"),
    ],
)
def test_nothing_complains_of_a_locale_that_the_image_has_not(
    official: Production, command: tuple[str, ...]
) -> None:
    done = official.exec("odoo", *command)
    assert done.returncode == 0, done.stderr
    assert not _LOCALE.search(done.stderr), done.stderr


def test_a_module_is_installed(official: Production) -> None:
    folder = official.root / "odoo" / "addons" / _MODULE
    folder.mkdir()
    (folder / "__init__.py").touch()
    manifest = {"name": _MODULE, "depends": ["base"], "license": "LGPL-3", "author": "Test"}
    (folder / "__manifest__.py").write_text(repr(manifest))
    done = official.inv("module.install", _MODULE)
    assert done.returncode == 0, done.stderr
    assert not _LOCALE.search(done.stdout + done.stderr), done.stderr
    query = f"SELECT state FROM ir_module_module WHERE name = '{_MODULE}'"
    assert official.sql(query) == "installed"


@pytest.fixture
def copy(official: Production) -> Iterator[str]:
    """The name of a database that a test makes; it is gone afterwards."""
    yield _COPY
    official.sql(f"DROP DATABASE IF EXISTS {_COPY}", "postgres")
    official.execute("odoo", "rm", "-rf", f"/var/lib/odoo/filestore/{_COPY}", user="odoo")


def test_a_backup_comes_back_beside_the_live_database(
    official: Production, admin: str, copy: str
) -> None:
    number = _attach(official, admin, content := os.urandom(40_000))
    done = official.inv("backup")
    assert done.returncode == 0, done.stderr
    assert not _LOCALE.search(done.stdout + done.stderr), done.stderr
    done = official.inv("restore", "--to-database", copy, "--yes")
    assert done.returncode == 0, done.stderr
    assert _stored(official, number, copy) == content


@pytest.mark.extended
def test_a_zip_that_odoo_made_with_a_newer_client_is_restored(
    official: Production, admin: str, copy: str, tmp_path: Path
) -> None:
    number = _attach(official, admin, content := os.urandom(30_000))
    file = tmp_path / "odoo.zip"
    dump = f"docker exec {official.project}-odoo-1 odoo db dump odoo > {file}"
    done = official.run("sh", "-c", dump)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(file) as archive, archive.open("dump.sql") as sql:
        header = sql.read(2000).decode()
    versions = re.findall(r"^-- Dumped (?:from|by) .*version (\d+)", header, re.MULTILINE)
    assert versions[0] == "16" and int(versions[1]) >= 17, header
    done = official.inv("restore", str(file), "--to-database", copy, "--yes")
    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stderr, done.stderr  # no setting of theirs is worth a word
    assert _stored(official, number, copy) == content


def test_a_restart_of_everything_loses_nothing(official: Production, admin: str) -> None:
    number = _attach(official, admin, content := os.urandom(20_000))
    assert official.compose("restart").returncode == 0
    assert eventually(lambda: official.inv("health").returncode == 0, 60)
    assert _content(official, admin, number) == content  # of the same session


@pytest.fixture
def empty(official: Production, tmp_path: Path) -> Iterator[Checkout]:
    """A clone that was never started, on the same images."""
    with unstarted(tmp_path / "empty") as clone:
        with (clone.root / ".env").open("a") as env:
            env.write("\n".join(official_images.lines(clone.project)) + "\n")
        yield clone


def test_a_first_database_is_made_whole_on_a_read_only_file_system(empty: Checkout) -> None:
    """The official image takes what an interrupted first start has left for a database."""
    script = empty.root / "postgres" / "initdb.d" / "15-interrupted.sh"
    script.write_text("#!/bin/sh\necho a long script\nsleep 600\n")
    script.chmod(0o755)
    assert empty.compose("up", "--detach", "odoo_db").returncode == 0
    assert eventually(lambda: "a long script" in empty.compose("logs", "odoo_db").stdout, 30)
    assert empty.compose("kill", "odoo_db").returncode == 0
    script.unlink()
    started = empty.compose("up", "--detach", "--wait", "odoo_db")
    assert started.returncode == 0, started.stderr
    assert empty.inspect("odoo_db")["HostConfig"]["ReadonlyRootfs"]
    psql = ["psql", "-U", "postgres", "-d", "postgres", "-tAc"]
    roles = "SELECT rolname, rolsuper, rolpassword ~ '^SCRAM' FROM pg_authid WHERE rolcanlogin"
    found = empty.exec("odoo_db", *psql, f"{roles} ORDER BY 1").stdout.split()
    assert found == ["odoo|f|t", "odoo_restore|f|t", "postgres|t|"]
    schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'platform'"
    assert eventually(lambda: empty.sql(schema, "postgres") == "1", 20)  # postgres/platform.sql
    show = ["-c", "SHOW unix_socket_directories", "-c", "SHOW data_checksums"]
    settings = empty.exec("odoo_db", *psql[:-1], "-tA", *show).stdout.split()
    assert settings == ["/var/run/postgresql", "on"]
    left = empty.exec("odoo_db", "find", "/var/lib/postgresql/data", "-name", ".first*")
    assert left.stdout == ""


def _attach(official: Production, cookie: str, data: bytes) -> int:
    values = {"name": "a.bin", "datas": base64.b64encode(data).decode()}
    params = {"model": "ir.attachment", "method": "create", "args": [[values]], "kwargs": {}}
    answer = official.call("/web/dataset/call_kw", params, cookie).json
    assert "error" not in answer, json.dumps(answer)[:2000]
    made: list[int] = answer["result"]
    return made[0]


def _content(official: Production, cookie: str, number: int) -> bytes:
    """An attachment as Nginx sends it."""
    answer = official.ask(f"/web/content/{number}", headers={"Cookie": cookie})
    assert answer.status == 200
    return answer.body


def _stored(official: Production, number: int, database: str) -> bytes:
    """An attachment of a database that nobody serves."""
    query = f"SELECT store_fname FROM ir_attachment WHERE id = {number}"
    name = f"/var/lib/odoo/filestore/{database}/{official.sql(query, database)}"
    return base64.b64decode(official.execute("odoo", "base64", name, user="odoo"))
