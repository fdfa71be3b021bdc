"""Importing Invoke without what it imports in vain: half of the time in which `inv` starts.

Invoke wants unittest.mock, which brings asyncio and ssl, for a class that only tests of task
libraries use; importlib.metadata, which brings email and zipfile, for its version number,
which nothing shows; and YAML, which compiles large patterns, for configuration files of its own,
which scripts/cli/program.py does not read.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def without_unused_modules() -> Iterator[None]:
    """In the block, an import of those three that is the first finds a placeholder.

    What asks for them later gets the true ones.
    """
    placeholders = [
        _module("unittest.mock", Mock=object),
        _module("importlib.metadata", version=_no_version),
        _module("invoke.vendor.yaml"),
    ]
    new = {m.__name__: m for m in placeholders if m.__name__ not in sys.modules}
    sys.modules.update(new)
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]


def _module(name: str, **content: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(content)
    return made


def _no_version(name: str) -> str:
    return f"{name} of a version that is not read"
