"""ODOO_PACKAGE: what it may name, and what becomes of it."""

import os
import subprocess
from pathlib import Path

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.process import SystemRunner
from scripts.stack import debian, images, odoo_package
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in
from tests.unit.support.images import engine_with_debian

_RELEASE = "version_info = (18, 0, 0, 'final', 0, '')\n"


def _checkout(folder: Path) -> Path:
    """A checkout of the source, with one module among the framework's and one beside."""
    for name, text in {
        "odoo/release.py": _RELEASE,
        "odoo/addons/base/__manifest__.py": "{}",
        "odoo/__pycache__/x.pyc": "",
        "addons/web/__manifest__.py": "{}",
        "odoo-bin": "#!/usr/bin/env python3\r\n",  # as Git has it on Windows
        ".git/HEAD": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def test_a_checkout_is_installed_as_its_package_would_be(tmp_path: Path) -> None:
    found = odoo_package.find("src", _checkout(tmp_path / "src").parent)
    assert (found.series, found.tag) == ("18.0", "localhost/ipai/odoo:18.0")
    found.unpack(FakeRunner(), tmp_path / "rootfs")
    files = {p.relative_to(tmp_path / "rootfs").as_posix() for p in tmp_path.rglob("rootfs/**/*")}
    place = "usr/lib/python3/dist-packages/odoo"
    assert {f"{place}/addons/{name}/__manifest__.py" for name in ("base", "web")} <= files
    assert (tmp_path / "rootfs/usr/bin/odoo").read_bytes() == b"#!/usr/bin/env python3\n"
    assert "usr/bin/odoo" in files and not [name for name in files if "__pycache__" in name]


def test_a_changed_file_is_another_package(tmp_path: Path) -> None:
    found = odoo_package.find(str(_checkout(tmp_path / "src")), tmp_path)
    before = found.digest
    assert found.digest == before
    (tmp_path / "src" / ".git" / "HEAD").write_text("another commit of what is not installed")
    assert found.digest == before
    (tmp_path / "src" / "addons" / "web" / "__manifest__.py").write_text("{'a': 1}")
    assert found.digest != before


def test_a_debian_package_is_unpacked(tmp_path: Path) -> None:
    _checkout(tmp_path / "src")
    tree = tmp_path / "tree"
    odoo_package.find("src", tmp_path).unpack(FakeRunner(), tree)
    (tree / "DEBIAN").mkdir()
    about = "Package: odoo\nVersion: 18.0.20251101\nArchitecture: all\nMaintainer: x\n"
    (tree / "DEBIAN" / "control").write_text(f"{about}Description: x\n")
    (tree / "etc").mkdir()
    (tree / "etc" / "other").touch()
    file = tmp_path / "odoo_18.0.20251101_all.deb"
    build = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(file)]
    subprocess.run(build, check=True, capture_output=True)
    found = odoo_package.find(file.name, tmp_path)
    assert found.series == "18.0"
    before = os.umask(0o077)
    try:
        found.unpack(SystemRunner(), tmp_path / "not" / "yet" / "rootfs")
    finally:
        os.umask(before)
    place = tmp_path / "not" / "yet" / "rootfs"
    assert (place / "usr/lib/python3/dist-packages/odoo/release.py").is_file()
    assert {p.stat().st_mode & 0o055 for p in place.rglob("*") if p.is_dir()} == {0o055}
    assert {p.stat().st_mode & 0o044 for p in place.rglob("*")} == {0o044}
    assert not (place / "etc").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("absent", "does not exist"), ("other.deb", "is not called"), ("folder", "is no checkout")],
)
def test_anything_else_is_refused_with_an_example(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "other.deb").touch()
    (tmp_path / "folder" / "odoo").mkdir(parents=True)
    with pytest.raises(UsageError, match=reason) as caught:
        odoo_package.find(name, tmp_path)
    assert "odoo_18.0" in caught.value.hint


def test_its_image_is_the_base_and_named_in_the_settings(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    for name in ("_fetch", "_fetch_postgres"):
        monkeypatch.setattr(debian.Builder, name, lambda *_: None)
    for name in ("odoo-19", "odoo-package"):
        (root / "images" / name).mkdir()
        (root / "images" / name / "Dockerfile").write_text(f"FROM {name}\n")
    _checkout(tmp_path / "src")
    runner = engine_with_debian(root, says(code=1, stderr="dial tcp: no such host"))
    settings = settings_in(root, odoo_package=str(tmp_path / "src"))
    used = images.ensure(Stack(settings, runner), FakeReporter())
    assert used["ODOO_BASE_IMAGE"] == "localhost/ipai/odoo:18.0"
    assert used["ODOO_IMAGE"] == "localhost/ipai-platform/odoo:18.0"
    assert used["REDIS_IMAGE"] == debian.REDIS
    builds = [argv for argv in runner.calls if argv[:2] == ["docker", "build"]]
    tags = [argv[argv.index("--tag") + 1] for argv in builds]
    assert tags == [
        "localhost/ipai/odoo-packages:18.0",
        "localhost/ipai/odoo:18.0",
        "localhost/ipai-platform/odoo:18.0",
    ]
    assert "ODOO_BASE_IMAGE=localhost/ipai/odoo:18.0" in (root / ".env").read_text()
    assert not (root / "images/odoo-package/downloads/rootfs").exists()


def test_a_base_image_that_is_named_as_well_is_refused(root: Path, tmp_path: Path) -> None:
    _checkout(tmp_path / "src")
    mine = {"ODOO_BASE_IMAGE": "example/odoo:18"}
    settings = settings_in(root, odoo_package=str(tmp_path / "src"), images=mine)
    with pytest.raises(OpsError, match="both ODOO_PACKAGE and ODOO_BASE_IMAGE"):
        images.ensure(Stack(settings, FakeRunner()), FakeReporter())


def test_a_platform_image_of_ones_own_is_kept(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(debian.Builder, "ensure", lambda *_: [])
    _checkout(tmp_path / "src")
    (tmp_path / "src/odoo/release.py").write_text(_RELEASE.replace("18", "19"))
    runner = engine_with_debian(root, says(code=1, stderr="dial tcp: no such host"))
    for given, wanted in (
        ({}, "localhost/ipai-platform/odoo:19.0"),
        ({"ODOO_IMAGE": "localhost/mine/odoo:1"}, "localhost/mine/odoo:1"),
    ):
        settings = settings_in(root, odoo_package=str(tmp_path / "src"), images=given)
        for _ in range(2):
            used = images.ensure(Stack(settings, runner), FakeReporter())
            assert used["ODOO_IMAGE"] == wanted
            assert used["ODOO_BASE_IMAGE"] == "localhost/ipai/odoo:19.0"
