"""stand-in until the branch with the scaffold is merged"""

from pathlib import Path
from scripts.core.settings import Settings


def create(settings: Settings, name: str) -> Path:
    """x"""
    raise NotImplementedError
