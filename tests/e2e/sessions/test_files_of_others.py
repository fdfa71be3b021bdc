"""Modules that Odoo cannot read, a filestore of somebody else, a module that is broken."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.session_store import in_odoo
from tests.support.waiting import eventually

_EX_CONFIG = 78
_SERVER = ["odoo", "--database=odoo", "--workers=0", "--http-port=8898"]


def module(folder: Path) -> Path:
    folder.mkdir(parents=True)
    manifest = {"name": folder.name, "license": "LGPL-3", "depends": ["base"], "version": "1.0"}
    (folder / "__manifest__.py").write_text(repr(manifest))
    (folder / "__init__.py").touch()
    return folder


@contextmanager
def mode(path: Path, value: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(value)
    try:
        yield
    finally:
        path.chmod(before)


def restart(platform: Checkout) -> str:
    """What the start said; Odoo serves afterwards."""
    known = log(platform)
    assert platform.compose("restart", "odoo").returncode == 0
    assert eventually(lambda: platform.get("/web/login") == 200, 90), log(platform)
    return log(platform)[len(known) :]


def log(platform: Checkout) -> str:
    done = platform.run("docker", "logs", platform.container("odoo"))
    return done.stderr


def known_modules(platform: Checkout, *names: str) -> set[str]:
    script = "from odoo.modules.module import get_modules; print(get_modules())"
    found = in_odoo(platform, "sh", "-c", f"echo '{script}' | odoo shell -d odoo --no-http")
    return {name for name in names if f"'{name}'" in found}


def test_modules_that_odoo_cannot_read_are_named_and_the_others_are_there(
    platform: Checkout,
) -> None:
    addons = platform.root / "odoo" / "addons"
    made = [addons / name for name in ("closed", "mod_a", "mod_b", "repository", "gone")]
    try:
        module(made[0] / "mod_in_closed")
        made[0].chmod(0o750)  # of root, cloned under umask 027
        module(made[1]).joinpath("__manifest__.py").chmod(0o600)
        module(made[2])
        (module(made[3] / "mod_c") / "__init__.py").chmod(0o600)
        module(made[3] / "mod_d")
        made[4].symlink_to("/home/somebody/gone")
        said = restart(platform)
        for name in ("closed", "mod_a", "repository/mod_c"):
            assert f"chmod -R a+rX odoo/addons/{name}\n" in said
        assert "odoo/addons/gone: it is a link to /home/somebody/gone, which is not in" in said
        assert "mod_b" not in said and "mod_d" not in said
        assert known_modules(platform, "mod_a", "mod_b", "mod_c", "mod_d") == {"mod_b", "mod_d"}
        assert in_odoo(platform, "find", "/var/lib/odoo/sessions", "-path", "*/??/*") == ""
    finally:
        for path in made:
            path.unlink() if path.is_symlink() else shutil.rmtree(path)
        restart(platform)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("odoo/addons", 0o750),
        ("odoo/addons/session_redis", 0o700),
        ("odoo/addons/session_redis/store.py", 0o600),
        ("odoo/addons/platform_http/databases.py", 0o600),
    ],
)
def test_odoo_does_not_start_where_it_cannot_read_the_platforms_modules(
    platform: Checkout, name: str, value: int
) -> None:
    with mode(platform.root / name, value):
        done = platform.compose("run", "--rm", "--no-deps", "odoo", *_SERVER)
    assert done.returncode == _EX_CONFIG
    assert f"the user odoo cannot read {name}: run chmod -R a+rX odoo" in done.stderr


@pytest.mark.parametrize(
    "name", ["session_redis", pytest.param("platform_http", marks=pytest.mark.extended)]
)
def test_odoo_does_not_serve_where_a_module_of_the_platform_fails_to_load(
    platform: Checkout, name: str
) -> None:
    path = platform.root / "odoo" / "addons" / name / "__init__.py"
    good = path.read_text()
    try:
        path.write_text("raise RuntimeError('broken')\n")
        done = platform.compose("run", "--rm", "--no-deps", "odoo", *_SERVER)
    finally:
        path.write_text(good)
    assert done.returncode == 1
    assert f"Odoo does not start without {name}" in done.stderr
    assert "HTTP service" not in done.stderr


def test_odoo_conf_has_to_name_both_modules(platform: Checkout) -> None:
    conf = platform.root / "odoo" / "odoo.conf"
    good = conf.read_text()
    named = "[options]\nserver_wide_modules = base,web,session_redis\n"
    try:
        conf.write_text(good.replace("[options]\n", named))
        done = platform.compose("run", "--rm", "--no-deps", "odoo", *_SERVER)
    finally:
        conf.write_text(good)
    assert done.returncode == _EX_CONFIG
    assert "server_wide_modules in odoo.conf must name platform_http as well" in done.stderr


def test_a_filestore_of_somebody_else_is_given_to_odoo(platform: Checkout) -> None:
    spoil = "f=$(find . -type f | head -n 1); chown 0:0 . $(dirname $f) $f; chmod 600 $f"
    spoil = f"cd /var/lib/odoo/filestore/odoo && {spoil}; mkdir -p ../../lost+found"
    assert in_volume(platform, f"{spoil}; chown -R 0:0 ../../sessions; chmod 700 ../../lost+found")
    restart(platform)
    others = ["find", "/var/lib/odoo", "-path", "*/lost+found", "-prune", "-o", "!", "-user"]
    assert in_odoo(platform, *others, "odoo", "-print") == ""
    assert in_volume(platform, "rmdir /var/lib/odoo/lost+found")


def in_volume(platform: Checkout, script: str) -> bool:
    """Run `script` as root with all rights on Odoo's data."""
    volume, image = f"{platform.project}_odoo_data", platform.inspect("odoo")["Config"]["Image"]
    run = ["docker", "run", "--rm", "--user", "0", "--volume", f"{volume}:/var/lib/odoo"]
    return platform.run(*run, "--entrypoint", "sh", image, "-c", script).returncode == 0


def test_a_volume_that_cannot_be_written_is_refused(platform: Checkout) -> None:
    overlay = platform.root / "read-only.yaml"
    overlay.write_text('services: { odoo: { volumes: ["odoo_data:/var/lib/odoo:ro"] } }\n')
    files = ["-f", "compose.yaml", "-f", overlay.name]
    done = platform.compose(*files, "run", "--rm", "--no-deps", "odoo", *_SERVER)
    assert done.returncode == _EX_CONFIG
    assert "odoo cannot use /var/lib/odoo: is the volume read-only" in done.stderr
