"""What is remembered of one archive is not taken for that of another."""

from pathlib import Path

import pytest

from toolbox.archive import memory


@pytest.mark.parametrize("other", [("b", "server-1"), ("a", "server-2")])
def test_each_archive_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: tuple[str, str]
) -> None:
    kept = (tmp_path / "gaps.json", tmp_path / "segment")
    monkeypatch.setattr(memory, "STATE", tmp_path)
    monkeypatch.setattr(memory, "REPOSITORY", tmp_path / "repository")
    monkeypatch.setattr(memory, "_KEPT", kept)
    (tmp_path / "repository").touch()  # of a version that wrote nothing into it
    kept[0].write_text("one")
    memory.belongs_to("a", "server-1")
    assert kept[0].read_text() == "one"
    memory.belongs_to(*other)
    assert not kept[0].exists()
    kept[1].write_text("two")
    memory.belongs_to("a", "server-1")
    assert kept[0].read_text() == "one" and not kept[1].exists()
    memory.belongs_to(*other)
    assert kept[1].read_text() == "two" and not kept[0].exists()
