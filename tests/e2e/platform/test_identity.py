"""A second clone with the same project name: refused, whatever it is asked to do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout
from tests.e2e.support.template import Template, running_copy

# On a platform of its own, so in a process of its own.
pytestmark = pytest.mark.xdist_group("identity")


@pytest.fixture(scope="module")
def first(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A running platform."""
    clone = Checkout.clone(tmp_path_factory.mktemp("first") / "clone")
    with running_copy(template, clone) as running:
        yield running


@pytest.fixture
def second(first: Checkout, tmp_path: Path) -> Checkout:
    """A fresh clone that believes to be the first: the same name, with ports of its own."""
    clone = Checkout.clone(tmp_path / "second", project=first.project)
    images.write_settings(clone)
    return clone


def _state(checkout: Checkout) -> tuple[list[str], list[str], str]:
    label = f"label=com.docker.compose.project={checkout.project}"
    containers = checkout.run("docker", "ps", "-aq", "--no-trunc", "--filter", label).stdout
    volumes = checkout.run("docker", "volume", "ls", "-q", "--filter", label).stdout
    created = checkout.run(
        "docker", "volume", "inspect", *volumes.split(), "--format", "{{.Name}} {{.CreatedAt}}"
    ).stdout
    return sorted(containers.split()), sorted(volumes.split()), created


_CHANGING = [
    ("up",),
    ("quickstart", "--yes"),
    ("down",),
    ("down", "--volumes", "--yes"),
    ("restart",),
    ("secrets",),
    ("images",),
    ("backup",),
    ("restore", "--yes"),
    ("module.install", "contacts"),
    ("sessions.revoke", "--user", "admin", "--yes"),
    ("setup-tls", "selfsigned"),
]


def test_every_changing_command_of_a_second_clone_is_refused(
    first: Checkout, second: Checkout
) -> None:
    before = _state(first)
    for command in _CHANGING:
        done = second.inv(*command)
        assert done.returncode == 1, command
        assert f"belongs to another folder: {first.root}" in done.stderr, (command, done.stderr)
        assert "COMPOSE_PROJECT_NAME" in done.stderr and "inv adopt" in done.stderr
    assert _state(first) == before
    assert first.get("/web/login") == 200
    assert not (second.root / "secrets").exists() and not (second.root / "tls-ca").exists()
    done = second.inv("health")
    assert done.returncode == 1
    assert f"Installation: ✗ FAILED: the platform {first.project!r} belongs" in done.stdout
    assert f"belongs to another folder: {first.root}" in second.inv("ps").stderr


def test_a_stopped_platform_is_as_safe_as_one_that_runs(first: Checkout, second: Checkout) -> None:
    assert first.inv("down").returncode == 0
    before = _state(first)
    try:
        for command in (("down", "--volumes", "--yes"), ("quickstart", "--yes"), ("up",)):
            done = second.inv(*command)
            assert done.returncode == 1
            assert f"belongs to another folder: {first.root}" in done.stderr, done.stderr
        assert _state(first) == before
    finally:
        done = first.inv("up")
        assert done.returncode == 0, done.stderr
    assert first.authenticate("admin", first.admin_password)


def test_a_platform_that_was_started_by_hand_is_not_taken_over(
    first: Checkout, second: Checkout
) -> None:
    first.run("docker", "volume", "rm", f"{first.project}_installation")
    done = second.inv("down", "--volumes", "--yes")
    assert f"belongs to another folder: {first.root}" in done.stderr, done.stderr
    assert first.get("/web/login") == 200
    assert first.inv("restart", "--service", "nginx").returncode == 0  # and is marked again


def test_a_moved_folder_goes_on_after_its_adoption(first: Checkout) -> None:
    moved = replace(first, root=first.root.rename(first.root.with_name("moved")))
    try:
        done = moved.inv("up")
        assert done.returncode == 1
        assert f"was started in {first.root}" in done.stderr, done.stderr
        assert moved.inv("adopt").returncode == 1  # nobody said yes
        done = moved.inv("adopt", "--yes")
        assert done.returncode == 0, done.stderr
        done = moved.inv("up")
        assert done.returncode == 0, done.stderr
        assert moved.authenticate("admin", moved.admin_password)
    finally:
        moved.root.rename(first.root)
        assert first.inv("adopt", "--yes").returncode == 0
        assert first.inv("up").returncode == 0
