"""Images for the fixes that came out since they were made."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.core.errors import OpsError
from scripts.core.settings import ImageSource
from scripts.stack import debian, image_names, images, refresh
from scripts.stack.compose import Stack
from tests.conftest import ROOT
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in
from tests.unit.support.images import LABEL, engine_with_debian

_CREATED = "docker image inspect --format {{.Created}}"
_ID = "docker image inspect --format {{.Id}}"


@pytest.fixture
def root(root: Path) -> Path:
    """A project with the image of backups, too."""
    folder = root / "images" / "backup"
    shutil.copytree(ROOT / "images" / "backup", folder, dirs_exist_ok=True)
    return root


def _there(runner: FakeRunner, *without: str) -> FakeRunner:
    """Every image is in the engine, but those of the variables `without`."""
    runner.answers[_CREATED] = says("2026-11-01T14:51:47.72100655Z\n")
    runner.answers[_ID] = says("sha256:1\n")
    for image in without:
        runner.answers[f"{_CREATED} {image}"] = says(code=1)
    return runner


def _pulled(runner: FakeRunner) -> list[str]:
    return [argv[-1] for argv in runner.calls if argv[:2] == ["docker", "pull"]]


def test_official_images_are_pulled_again_and_those_that_nobody_uses_are_not(root: Path) -> None:
    official = image_names.official(root)
    runner = _there(
        engine_with_debian(root, says()),
        official[image_names.CERTBOT],
        official[image_names.POSTGREST],
        *(official[name] for name in image_names.MONITORING),
    )
    refresh.refresh(Stack(settings_in(root), runner), FakeReporter())
    wanted = {
        official[name]
        for name in (*image_names.PULLED, image_names.BACKUP, image_names.MAIL_CATCHER)
    }
    assert set(_pulled(runner)) == wanted and len(_pulled(runner)) == len(wanted)


def test_images_of_debian_packages_are_built_again_without_what_was_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(debian.Builder, "_fetch_postgres", lambda _: None)
    monkeypatch.setattr(debian.Builder, "_fetch", lambda *_: None)
    runner = _there(engine_with_debian(root, says()), debian.CERTBOT, debian.MONITORING)
    settings = settings_in(root, images=dict(debian.VARIABLES), image_source=ImageSource.DEBIAN)
    reporter = FakeReporter()
    refresh.refresh(Stack(settings, runner), reporter)
    builds = [argv for argv in runner.calls if argv[:2] == ["docker", "build"]]
    ours = {
        argv[argv.index("--tag") + 1]: argv
        for argv in builds
        if "ipai-platform/backup" not in " ".join(argv) and str(root / "images") in argv[-1]
    }
    packages = "localhost/ipai/odoo-packages:19"
    expected = {
        debian.BASE, debian.POSTGRES, debian.REDIS, debian.NGINX, debian.ODOO, packages,
        debian.MAIL_CATCHER,
    }  # fmt: skip
    assert set(ours) == expected
    assert all("--no-cache" in argv for argv in ours.values())
    assert runner.ran("mmdebstrap") and not _pulled(runner)
    assert "left as it is: postgrest/postgrest:v14.8" in reporter.said


def test_without_refresh_what_is_current_is_left_alone(root: Path) -> None:
    runner = engine_with_debian(root, says())
    tags = [debian.POSTGRES, debian.REDIS]
    builder = debian.Builder(root / "images", root / "logs", runner, FakeReporter())
    assert builder.ensure(tags) == []


def test_the_platform_image_is_built_again_on_another_base_of_the_same_name(root: Path) -> None:
    runner = _there(engine_with_debian(root, says()))
    stack, tag = Stack(settings_in(root), runner), image_names.official(root)["ODOO_IMAGE"]
    images.ensure(stack, FakeReporter())
    (build,) = [argv for argv in runner.calls if argv[:2] == ["docker", "build"]]
    source = next(word for word in build if word.startswith("ipai.source=")).partition("=")[2]
    runner.answers[LABEL + tag] = says(source + "\n")
    runner.calls.clear()
    images.ensure(stack, FakeReporter())
    assert not runner.ran("docker build")
    runner.answers[_ID] = says("sha256:2\n")
    images.ensure(stack, FakeReporter())
    assert runner.ran("docker build")


def test_one_that_cannot_be_pulled_is_an_error_that_names_it(root: Path) -> None:
    gone = says(code=1, stderr="manifest for redis:7 not found: manifest unknown")
    runner = _there(engine_with_debian(root, gone))
    with pytest.raises(OpsError, match="cannot pull"):
        refresh.refresh(Stack(settings_in(root), runner), FakeReporter())


def test_a_rehearsal_pulls_and_builds_nothing(root: Path) -> None:
    runner = _there(engine_with_debian(root, says()))
    runner.dry = True
    refresh.refresh(Stack(settings_in(root), runner), FakeReporter())
    assert not runner.ran("docker pull") and not runner.ran("docker build")


@pytest.mark.parametrize(("days", "advice"), [(0, ""), (29, ""), (31, "31 days old")])
def test_the_listing_shows_ages_and_what_to_do(root: Path, days: int, advice: str) -> None:
    runner = _there(engine_with_debian(root, says()))
    day = datetime.now(UTC) - timedelta(days=days)
    redis = image_names.official(root)["REDIS_IMAGE"]
    young = datetime.now(UTC).isoformat()
    runner.answers[_CREATED] = says(f"{young}\n")
    runner.answers[f"{_CREATED} {redis}"] = says(f"{day.isoformat()}\n")
    table, said = refresh.listing(Stack(settings_in(root), runner))
    found = {row[0]: row[3] for row in table.rows}
    assert found["REDIS_IMAGE"] == f"{day:%Y-%m-%d}"
    assert advice in said and bool(said) is bool(advice)
    assert json.dumps(table.records)
