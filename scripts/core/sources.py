"""Where the value of a setting comes from."""

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.core.env_syntax import Parsed


@dataclass(frozen=True)
class Sources:
    """`.env` and the environment, which wins, also with an empty value, as it does in Compose."""

    stored: Parsed  # .env
    environment: Mapping[str, str]

    @property
    def merged(self) -> Mapping[str, str]:
        """Every variable with its value."""
        return {**self.stored.values, **self.environment}

    @property
    def effective(self) -> Mapping[str, str]:
        """Those that have a value; for the others the default holds."""
        return {name: value for name, value in self.merged.items() if value}

    def of(self, name: str) -> str:
        """For people: where the value of `name` comes from."""
        if name in self.environment:
            return "environment"
        return ".env" if name in self.stored.values else "default"
