"""Which images are kept, pulled or built: what somebody has named is never replaced."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.core.errors import OpsError
from scripts.core.settings import ImageSource
from scripts.stack import debian, image_names, image_sources, images
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in
from tests.unit.support.images import NO_ROUTE, built_with_docker, engine_with_debian

_MINE = "example/odoo:18.0-mine"


def _with(runner: FakeRunner, *tags: str) -> FakeRunner:
    """An engine that has these, too."""
    runner.answers["docker image ls"] = says("".join(f"{tag} sha256:1\n" for tag in tags))
    for tag in tags:
        runner.answers["docker image inspect --format {{.Id}} " + tag] = says("sha256:1\n")
    return runner


@pytest.mark.parametrize("source", list(ImageSource))
def test_a_base_image_that_is_named_and_there_is_never_replaced(
    root: Path, source: ImageSource
) -> None:
    pulls = says() if source is ImageSource.REGISTRY else NO_ROUTE
    runner = _with(engine_with_debian(root, pulls), _MINE)
    settings = settings_in(root, image_source=source, images={"ODOO_BASE_IMAGE": _MINE})
    used = images.ensure(Stack(settings, runner), FakeReporter())
    assert used["ODOO_BASE_IMAGE"] == _MINE
    assert used["ODOO_IMAGE"] == image_names.official(root)["ODOO_IMAGE"]
    built = source is not ImageSource.REGISTRY
    assert (used["REDIS_IMAGE"] == debian.REDIS) == built
    stored = (root / ".env").read_text() if built else ""
    assert "ODOO" not in stored and ("REDIS_IMAGE" in stored) == built
    assert built_with_docker(runner) == [used["ODOO_IMAGE"]]


def test_a_base_image_of_ones_own_stays_beside_images_built_earlier(root: Path) -> None:
    runner = _with(engine_with_debian(root, NO_ROUTE), _MINE)
    settings = settings_in(root, images={**debian.VARIABLES, "ODOO_BASE_IMAGE": _MINE})
    used = images.ensure(Stack(settings, runner), FakeReporter())
    # Not by the name that says 19.0, which was ours while 19 was the base.
    assert used == {
        **image_names.official(root),
        **debian.VARIABLES,
        "ODOO_BASE_IMAGE": _MINE,
        "ODOO_IMAGE": image_names.official(root)["ODOO_IMAGE"],
    }
    assert not runner.ran("docker pull")
    stored = (root / ".env").read_text().splitlines()
    assert f"ODOO_IMAGE={used['ODOO_IMAGE']}" in stored
    assert not [line for line in stored if line.startswith("ODOO_BASE_IMAGE")]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (ImageSource.AUTO, "no container registry answers"),
        (ImageSource.DEBIAN, "nothing is pulled"),
    ],
)
def test_an_image_that_is_named_and_cannot_be_had_is_an_error(
    root: Path, source: ImageSource, reason: str
) -> None:
    runner = engine_with_debian(root, NO_ROUTE)
    settings = settings_in(root, image_source=source, images={"ODOO_BASE_IMAGE": _MINE})
    with pytest.raises(OpsError) as caught:
        images.ensure(Stack(settings, runner), FakeReporter())
    assert caught.value.message.startswith(f"ODOO_BASE_IMAGE={_MINE}: ")
    assert reason in caught.value.message and "remove the line" in caught.value.hint
    assert not (root / ".env").exists() and not built_with_docker(runner)


def test_an_official_image_that_somebody_brought_is_kept_where_no_registry_answers(
    root: Path,
) -> None:
    official = image_names.official(root)["ODOO_BASE_IMAGE"]
    runner = _with(engine_with_debian(root, NO_ROUTE), official)
    used = images.ensure(Stack(settings_in(root), runner), FakeReporter())
    assert used["ODOO_BASE_IMAGE"] == official and used["REDIS_IMAGE"] == debian.REDIS
    again = settings_in(root, images={n: v for n, v in used.items() if debian.is_ours(v)})
    assert images.ensure(Stack(again, runner), FakeReporter()) == used


@pytest.mark.parametrize(("version", "agrees"), [("18", True), ("18.0", True), ("", False)])
def test_debians_odoo_is_built_only_where_it_will_do(
    root: Path, version: str, agrees: bool
) -> None:
    runner = engine_with_debian(root, NO_ROUTE)
    stack = Stack(settings_in(root, odoo_version=version), runner)
    with pytest.raises(OpsError, match="Odoo 18 is not to be had here") as caught:
        images.ensure(stack, FakeReporter(answer=agrees))
    assert "ODOO_PACKAGE" in caught.value.hint
    assert not built_with_docker(runner) and not (root / ".env").exists()


def test_what_data_were_written_by_is_not_built_anew_beside_one_image_of_ours(
    root: Path,
) -> None:
    settings = settings_in(root, images={"NGINX_IMAGE": debian.NGINX})
    runner = engine_with_debian(root, NO_ROUTE)
    runner.answers["docker volume ls"] = says(f"{settings.project}_odoo_db_data\n")
    with pytest.raises(image_sources.NoRegistryError):
        images.ensure(Stack(settings, runner), FakeReporter())
    runner.answers["docker pull"] = says()
    used = images.ensure(Stack(settings, runner), FakeReporter())
    official = image_names.official(root)
    assert used == {**official, **_of(debian.VARIABLES, "NGINX_IMAGE", *_NOT_WANTED)}


_NOT_WANTED = ("CERTBOT_IMAGE", "BACKUP_BASE_IMAGE", "BACKUP_IMAGE", *image_names.MONITORING)


def _of(images: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: images[name] for name in names}


def test_what_is_built_is_said_not_to_be_odoo_18(root: Path) -> None:
    reporter = FakeReporter()
    images.ensure(
        Stack(settings_in(root, odoo_version="19"), engine_with_debian(root, NO_ROUTE)), reporter
    )
    assert any("Debian has Odoo 19" in said and "ODOO_PACKAGE" in said for said in reporter.said)
