"""What Invoke is imported without."""

import importlib.metadata
import subprocess
import sys

import pytest

from scripts.core import quick_import
from scripts.core.settings import ROOT


def test_a_command_starts_without_what_invoke_imports_in_vain() -> None:
    launch = [str(ROOT / "scripts" / "launch.py"), "--list"]
    argv = [sys.executable, "-P", "-S", "-X", "importtime", *launch]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "invoke.context" in imported
    vain = {
        "unittest.mock",
        "asyncio",
        "importlib.metadata",
        "zipfile",
        "invoke.vendor.yaml.reader",
    }
    assert not imported & vain


def test_later_imports_get_the_true_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("unittest.mock", "importlib.metadata"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with quick_import.without_unused_modules():
        assert sys.modules["unittest.mock"].__spec__ is None
    assert not {"unittest.mock", "importlib.metadata"} & sys.modules.keys()


def test_a_true_module_that_is_there_stays() -> None:
    with quick_import.without_unused_modules():
        assert sys.modules["importlib.metadata"] is importlib.metadata
