"""The images of a major version of PostgreSQL, and the volumes with its data."""

from pathlib import Path

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import ImageSource
from scripts.stack import debian, diagnosis, images, postgres_images, postgres_volumes
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in
from tests.unit.support.images import NO_ROUTE, engine_with_debian

_OF_17 = {
    "POSTGRES_IMAGE": debian.POSTGRES_17,
    "BACKUP_BASE_IMAGE": debian.POSTGRES_17,
    "BACKUP_IMAGE": "localhost/ipai-platform/backup:17",
}


def test_official_images_are_followed_by_official_ones(root: Path) -> None:
    chosen = postgres_images.chosen(settings_in(root), 17)
    assert chosen["POSTGRES_IMAGE"] == chosen["BACKUP_BASE_IMAGE"] == "postgres:17-trixie"
    assert chosen["BACKUP_IMAGE"] == "localhost/ipai-platform/backup:17"
    back = postgres_images.chosen(settings_in(root, images=chosen), 16)
    assert back["POSTGRES_IMAGE"] == "postgres:16.15-bookworm"
    assert back["BACKUP_BASE_IMAGE"] == "postgres:16.15-trixie"
    assert back["BACKUP_IMAGE"] == "localhost/ipai-platform/backup:16"


def test_images_that_were_built_here_are_followed_by_such(root: Path) -> None:
    built = settings_in(root, images=debian.VARIABLES)
    assert postgres_images.chosen(built, 17) == _OF_17
    with pytest.raises(OpsError, match="no image of PostgreSQL 18 can be built"):
        postgres_images.chosen(built, 18)


def test_an_image_of_ones_own_has_to_be_named(root: Path) -> None:
    own = {"POSTGRES_IMAGE": "example/postgres:16-postgis", "BACKUP_IMAGE": "example/backup:16"}
    settings = settings_in(root, images=own)
    with pytest.raises(UsageError, match="an image of your own") as caught:
        postgres_images.chosen(settings, 17)
    assert "--image" in caught.value.hint
    chosen = postgres_images.chosen(settings, 17, "example/postgres:17-postgis")
    assert chosen["POSTGRES_IMAGE"] == "example/postgres:17-postgis"
    assert chosen["BACKUP_IMAGE"] == "example/backup:17"


@pytest.mark.parametrize("source", list(ImageSource))
def test_the_version_that_was_moved_to_is_kept(root: Path, source: ImageSource) -> None:
    pulls = says() if source is ImageSource.REGISTRY else NO_ROUTE
    runner = engine_with_debian(root, pulls)
    runner.answers["docker image ls"] = says(f"{debian.POSTGRES_17} sha256:1\n")
    given = {**debian.VARIABLES, **_OF_17}
    settings = settings_in(root, image_source=source, images=given)
    used = images.ensure(Stack(settings, runner), FakeReporter())
    assert {name: used[name] for name in _OF_17} == _OF_17
    stored = settings.env_file.read_text() if settings.env_file.is_file() else ""
    assert "postgres:16" not in stored and "backup:16" not in stored


def test_an_image_of_another_version_is_refused(root: Path) -> None:
    runner = FakeRunner({"docker image inspect": says("PATH=/bin\nPG_MAJOR=16\n")})
    build = debian.Builder(root / "images", root / "logs", runner, FakeReporter())
    stack = Stack(settings_in(root), runner)
    with pytest.raises(UsageError, match="has PostgreSQL 16, and not 17"):
        postgres_images.bring(stack, 17, "example/postgres", build)
    postgres_images.bring(stack, 16, "example/postgres", build)


def test_the_volume_is_the_one_that_env_names(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert postgres_volumes.in_use(settings) == "ipai-platform_odoo_db_data"
    settings.env_file.write_text("POSTGRES_VOLUME=odoo_db_data_17\n")
    assert postgres_volumes.in_use(settings) == "ipai-platform_odoo_db_data_17"
    listed = says("ipai-platform_odoo_db_data_17\nipai-platform_odoo_db_data\nother_data\n")
    stack = Stack(settings, FakeRunner({"docker volume ls": listed}))
    assert postgres_volumes.others(stack) == ["ipai-platform_odoo_db_data"]


@pytest.mark.parametrize(
    ("answer", "major"), [(says("16\n"), 16), (says(code=1), 0), (says("?\n"), 0)]
)
def test_the_version_of_a_volume_is_what_is_in_it(
    tmp_path: Path, answer: object, major: int
) -> None:
    stack = Stack(settings_in(tmp_path), FakeRunner({"docker run": answer}))  # type: ignore[dict-item]
    assert postgres_volumes.major(stack, "volume", "image") == major


def test_data_of_another_version_has_a_way_out() -> None:
    said = ["PostgreSQL init", "error: the data is of PostgreSQL 17, and this image has 16"]
    assert "POSTGRES_VOLUME" in diagnosis.remedy("odoo_db", said)
    assert not diagnosis.remedy("odoo_db", said[:1])
