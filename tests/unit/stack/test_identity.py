"""Whose platform it is: two clones with one project name, moved and copied folders."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts.core.completed import Completed
from scripts.core.errors import OpsError
from scripts.stack import identity
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in


@dataclass
class Engine(FakeRunner):
    """Volumes with their labels, and the folders of containers, as `docker` would list them."""

    volumes: dict[str, dict[str, str]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    quicker: dict[str, str] = field(default_factory=dict)  # a mark that is made in between

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        super().run(argv, **options)
        if argv[1:3] == ["volume", "ls"]:
            rows = ["\t".join([name, *self._marks(name)]) for name in self.volumes]
            return says("".join(f"{row}\n" for row in rows))
        if argv[1:3] == ["volume", "create"]:
            labels = dict(word[8:].split("=", 1) for word in argv if word.startswith("--label="))
            self.volumes.setdefault(argv[-1], self.quicker or labels)
        if argv[1:3] == ["volume", "rm"]:
            self.volumes.pop(argv[-1], None)
        if argv[1] == "ps":
            return says("".join(f"{folder}\n" for folder in self.folders))
        return says()

    def _marks(self, name: str) -> list[str]:
        return [self.volumes[name].get(label, "") for label in (identity.ID, identity.FOLDER)]

    def destroy(self) -> None:
        """As `docker compose down --volumes` by hand, which knows nothing of the mark."""
        self.folders = []
        self.volumes = {name: v for name, v in self.volumes.items() if "installation" in name}


def _clone(folder: Path, engine: FakeRunner, *, secret: str = "") -> Stack:
    folder.mkdir(exist_ok=True)
    if secret:
        (folder / "secrets").mkdir(exist_ok=True)
        (folder / "secrets" / "db_password.txt").write_text(secret)
    return Stack(settings_in(folder), engine)


def _started(folder: Path, engine: Engine) -> Stack:
    """A clone whose platform is up."""
    stack = _clone(folder, engine, secret="the password of the first")
    identity.require(stack, starts=True)
    engine.volumes["ipai-platform_odoo_db_data"] = {}
    engine.folders = [str(folder)]
    return stack


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def first(tmp_path: Path, engine: Engine) -> Stack:
    return _started(tmp_path / "first", engine)


@pytest.mark.parametrize("stopped", [False, True])
def test_another_clone_is_refused_and_told_the_folder_and_the_ways_on(
    tmp_path: Path, engine: Engine, first: Stack, stopped: bool
) -> None:
    if stopped:  # by `inv down`: nothing is left but volumes
        engine.folders = []
    second = _clone(tmp_path / "second", engine, secret="another password")
    before = dict(engine.volumes)
    for starts in (False, True):
        with pytest.raises(OpsError) as caught:
            identity.require(second, starts=starts)
        assert caught.value.message == (
            f"the platform 'ipai-platform' belongs to another folder: {first.settings.root}"
        )
        for way in ("COMPOSE_PROJECT_NAME", "NGINX_HTTP_PORT", "ODOO_PORT", "inv adopt"):
            assert way in caught.value.hint
    assert engine.volumes == before
    identity.require(first)


def test_a_platform_started_by_hand_is_told_by_its_containers(
    tmp_path: Path, engine: Engine
) -> None:
    engine.folders = [str(tmp_path / "first")]
    engine.volumes["ipai-platform_odoo_db_data"] = {}
    second = _clone(tmp_path / "second", engine, secret="another password")
    with pytest.raises(OpsError, match=f"another folder: {tmp_path / 'first'}"):
        identity.require(second)
    first = _clone(tmp_path / "first", engine)
    identity.require(first)
    engine.folders = []
    with pytest.raises(OpsError, match=f"another folder: {tmp_path / 'first'}"):
        identity.require(second)


def test_volumes_of_nobody_are_not_those_of_a_clone_without_secrets(
    tmp_path: Path, engine: Engine
) -> None:
    engine.volumes["ipai-platform_odoo_db_data"] = {}
    with pytest.raises(OpsError, match="nothing here tells"):
        identity.require(_clone(tmp_path / "new", engine))
    old = _clone(tmp_path / "old", engine, secret="the password")
    identity.require(old)
    assert identity.look(old).owner is identity.Owner.OURS


def test_a_moved_folder_is_adopted_and_then_goes_on(
    tmp_path: Path, engine: Engine, first: Stack
) -> None:
    moved = Path(shutil.move(first.settings.root, tmp_path / "moved"))
    stack = Stack(settings_in(moved), engine)
    with pytest.raises(OpsError, match=f"started in {tmp_path / 'first'}") as caught:
        identity.require(stack)
    assert "inv adopt" in caught.value.hint
    reporter = FakeReporter()
    assert "inv up" in identity.adopt(stack, reporter)
    assert str(moved) in reporter.asked[0]
    identity.require(stack)
    new = _clone(tmp_path / "first", engine, secret="another password")
    with pytest.raises(OpsError, match=f"another folder: {moved}"):
        identity.require(new, starts=True)


def test_a_copy_is_no_move_and_after_its_adoption_the_original_is_refused(
    tmp_path: Path, engine: Engine, first: Stack
) -> None:
    copy = Path(shutil.copytree(first.settings.root, tmp_path / "copy"))
    stack = Stack(settings_in(copy), engine)
    with pytest.raises(OpsError, match=f"another folder: {first.settings.root}"):
        identity.require(stack)
    identity.adopt(stack, FakeReporter())
    identity.require(stack)
    with pytest.raises(OpsError, match=f"another folder: {copy}"):
        identity.require(first)


def test_nobody_adopts_without_a_yes_or_with_other_secrets(
    tmp_path: Path, engine: Engine, first: Stack
) -> None:
    second = _clone(tmp_path / "second", engine)
    for secret in ("", "another password"):
        with pytest.raises(OpsError, match=r"db_password\.txt") as caught:
            identity.adopt(_clone(tmp_path / "second", engine, secret=secret), FakeReporter())
        assert str(first.settings.root) in caught.value.hint
    _clone(tmp_path / "second", engine, secret="the password of the first")
    with pytest.raises(OpsError, match="nothing was changed"):
        identity.adopt(second, FakeReporter(answer=False))
    identity.require(first)


def test_what_is_ours_already_need_not_be_adopted(engine: Engine, first: Stack) -> None:
    reporter = FakeReporter()
    assert identity.adopt(first, reporter) == "ipai-platform belongs to this folder already"
    assert reporter.asked == []
    engine.destroy()
    with pytest.raises(OpsError, match="there is no platform"):
        identity.adopt(first, reporter)


def test_a_deleted_state_folder_changes_nothing_for_its_owner(engine: Engine, first: Stack) -> None:
    shutil.rmtree(first.settings.state_folder)
    identity.require(first)
    shutil.move(first.settings.root, first.settings.root.parent / "moved")
    moved = Stack(settings_in(first.settings.root.parent / "moved"), engine)
    assert identity.look(moved).owner is identity.Owner.MOVED  # the id is there again


def test_a_new_clone_in_the_place_of_the_old_one_is_not_its_owner(
    engine: Engine, first: Stack
) -> None:
    root = first.settings.root
    shutil.move(root, root.parent / "old")
    new = _clone(root, engine)
    with pytest.raises(OpsError, match="nothing here tells"):
        identity.require(new, starts=True)
    identity.require(_clone(root.parent / "other", Engine()), starts=True)
    shutil.copytree(root.parent / "other" / ".state", root / ".state")
    with pytest.raises(OpsError, match="another clone, which was in this folder"):
        identity.require(new, starts=True)


def test_a_mark_without_a_platform_counts_no_more(
    tmp_path: Path, engine: Engine, first: Stack
) -> None:
    engine.destroy()
    second = _started(tmp_path / "second", engine)
    identity.require(second)
    with pytest.raises(OpsError, match=f"another folder: {second.settings.root}"):
        identity.require(first)


def test_of_two_first_starts_at_once_one_is_refused(tmp_path: Path, engine: Engine) -> None:
    engine.quicker = {identity.ID: "1234", identity.FOLDER: "/srv/quicker"}
    with pytest.raises(OpsError, match="another folder: /srv/quicker"):
        identity.require(_clone(tmp_path / "slower", engine), starts=True)


def test_a_dry_run_and_a_look_write_nothing(tmp_path: Path, engine: Engine) -> None:
    stack = _clone(tmp_path / "clone", engine)
    assert identity.problem(stack) is None
    engine.dry = True
    identity.require(stack, starts=True)
    assert engine.volumes == {} and engine.changing == []
    assert not stack.settings.state_folder.exists()


def test_without_an_engine_nothing_is_said(tmp_path: Path) -> None:
    for answer in (says(code=1, stderr="Cannot connect"), OpsError("docker is not installed")):
        runner = FakeRunner({"docker volume ls": answer, "docker ps": answer})
        identity.require(_clone(tmp_path / "clone", runner), starts=True)
        assert runner.changing == []
