"""Whether newer images are told, when registries are asked, and what is remembered."""

import json
from pathlib import Path

import pytest

from scripts.core.checks import Finding, InapplicableError, Status
from scripts.core.errors import OpsError
from scripts.health import limits, updates
from scripts.health.answers import Answers
from scripts.stack import registry
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeRunner, says, settings_in

_INSPECT = "docker image inspect"
_IMAGES = {
    "REDIS_IMAGE": "localhost/ipai/redis:7",
    "NGINX_IMAGE": "nginx:1@sha256:fixed",
    "ODOO_BASE_IMAGE": "localhost/mine:1",
}


_VARIABLES = ("POSTGRES_IMAGE", "BACKUP_BASE_IMAGE", *_IMAGES)


class World:
    """An engine that has pulled postgres:16, and the registry it came from."""

    def __init__(self, folder: Path) -> None:
        for name in ("compose.yaml", "compose.prod.yaml"):
            text = "".join(f"image: ${{{variable}:-x}}\n" for variable in _VARIABLES)
            (folder / name).write_text(text)
        self.asked: list[str] = []
        self.digest, self.now = "sha256:old", 1e9
        self.runner = FakeRunner({"docker context inspect": says("unix:///run/docker.sock\n")})
        self.pulled("sha256:old")
        self.folder = folder
        self.images("postgres:16")

    def images(self, postgres: str) -> None:
        named = {"POSTGRES_IMAGE": postgres, "BACKUP_BASE_IMAGE": postgres}
        settings = settings_in(self.folder, images={**_IMAGES, **named})
        self.stack = Stack(settings, self.runner)

    def pulled(self, digest: str) -> None:
        line = f'["postgres:16"]\t["postgres@{digest}"]\n'
        self.runner.answers[_INSPECT] = says(line)

    def ask(self, engine: Path, image: str, seconds: float) -> str:
        assert engine == Path("/run/docker.sock")
        self.asked.append(image)
        if not self.digest:
            raise OpsError("no registry")
        return self.digest

    def look(self, days: float = 0) -> Finding:
        self.now += days * limits.DAY
        return updates.finding(Answers.of(self.stack, 4))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(registry, "digest", made.ask)
    monkeypatch.setattr("time.time", lambda: made.now)
    return made


def test_a_registry_is_asked_once_a_day_for_what_came_from_it(world: World) -> None:
    for _ in range(3):
        assert world.look() == Finding(Status.OK)
    assert world.asked == ["postgres:16"]
    assert len([c for c in world.runner.calls if c[:3] == _INSPECT.split()]) == 1
    world.look(days=1)
    assert len(world.asked) == 2


def test_a_newer_image_is_told_after_a_week_and_no_more_once_it_is_pulled(world: World) -> None:
    world.digest = "sha256:new"
    assert world.look() == Finding(Status.OK, "postgres:16")
    assert world.look(days=6.9).status is Status.OK
    found = world.look(days=0.1)
    assert found.status is Status.WARNING and "postgres:16" in found.detail
    world.pulled("sha256:new")
    assert world.look() == Finding(Status.OK)


def test_without_a_registry_there_is_no_line_and_it_is_not_asked_at_each_look(
    world: World,
) -> None:
    world.digest = ""
    for _ in range(3):
        with pytest.raises(InapplicableError):
            world.look()
    assert len(world.asked) == 1
    world.digest = "sha256:old"
    assert world.look(days=0.25).status is Status.OK


def test_another_image_is_asked_about_at_once(world: World) -> None:
    world.look()
    world.images("postgres:17")
    world.runner.answers[_INSPECT] = says('["postgres:17"]\t["postgres@sha256:old"]\n')
    world.look()
    assert world.asked == ["postgres:16", "postgres:17"]


def test_images_that_were_made_here_are_nobody_s_to_ask(world: World) -> None:
    world.runner.answers[_INSPECT] = says('["postgres:16"]\t[]\n')
    with pytest.raises(InapplicableError):
        world.look()
    assert world.asked == []


@pytest.mark.parametrize("content", ["", "[]", "{", json.dumps({"x": 1})])
def test_a_damaged_memory_is_none(world: World, content: str) -> None:
    world.stack.settings.state_folder.mkdir()
    (world.stack.settings.state_folder / "image-updates.json").write_text(content)
    assert world.look().status is Status.OK
