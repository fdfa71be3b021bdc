"""The Edge Function as it stands: types, style, its lock, and its own tests, by real Deno."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.static.support.project import ROOT, run

_FOLDER = ROOT / "supabase" / "functions" / "run-executor"
_FILES = sorted(_FOLDER.glob("*.ts"))
_DENO = str(Path(sys.executable).with_name("deno"))


@pytest.mark.parametrize(
    "command",
    [["check", "--frozen"], ["fmt", "--check"], ["lint"], ["test", "--frozen", "--allow-net"]],
    ids=lambda command: command[0],
)
def test_deno_finds_nothing_wrong(command: list[str]) -> None:
    files = [_FOLDER / "run_test.ts"] if command[0] == "test" else _FILES
    config = ["--config", str(_FOLDER / "deno.json")]
    env = {**os.environ, "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    done = run(_DENO, *command, *config, *map(str, files), env=env)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", _FILES, ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere(path: Path) -> None:
    imported = re.findall(r'(?:from|import)\s*\(?\s*"([^"]+)"', path.read_text())
    assert not [name for name in imported if not name.startswith(("./", "node:"))]
    assert len(path.read_text().splitlines()) <= 300
