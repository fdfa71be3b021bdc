"""What a refresh has changed of the packages of an image."""

from pathlib import Path

from scripts.stack import packages
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says, settings_in

_BEFORE = {"openssl": "3.5.1-1", "zlib1g": "1.3", "old": "1"}
_AFTER = {"openssl": "3.5.4-1~deb13u1", "zlib1g": "1.3", "new": "2"}


def test_what_a_refresh_has_changed_is_told_by_package() -> None:
    assert packages.compare("odoo:19", _BEFORE, _AFTER).lines == [
        "odoo:19: 3 packages have changed",
        "  openssl 3.5.1-1 → 3.5.4-1~deb13u1",
        "  new is new",
        "  old is gone",
    ]
    assert packages.compare("odoo:19", _BEFORE, _BEFORE).lines == ["odoo:19: as before"]


def test_the_packages_of_an_image_are_asked_without_a_network(tmp_path: Path) -> None:
    runner = FakeRunner({"docker run": says("openssl 3.5.1-1\nzlib1g 1.3\nodd line of\n")})
    found = packages.installed(Stack(settings_in(tmp_path), runner), "odoo:19")
    assert found == {"openssl": "3.5.1-1", "zlib1g": "1.3"}
    (argv,) = runner.calls
    assert argv[argv.index("--network") + 1] == "none" and "never" in argv


def test_an_image_without_dpkg_has_none(tmp_path: Path) -> None:
    runner = FakeRunner({"docker run": says(code=127)})
    assert packages.installed(Stack(settings_in(tmp_path), runner), "redis:7-alpine") == {}
