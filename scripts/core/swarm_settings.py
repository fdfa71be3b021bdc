"""Settings of Docker Swarm that `inv` itself needs; compose.swarm.yaml reads the others."""

from dataclasses import dataclass

from scripts.core.values import Values

_WORDS = "a value without spaces"


@dataclass(frozen=True)
class SwarmSettings:
    """Of one installation."""

    registry: str  # where nodes fetch images, such as images.example.com/erp; '' if nowhere
    filestore: str  # device of the volume that all nodes mount; '' if none was named

    @classmethod
    def read(cls, values: Values) -> "SwarmSettings":
        """Of `.env` and the environment; what is wrong is added to the problems of `values`."""
        values.matching("SWARM_VERSION", "1", r"[\w][\w.-]{0,127}", "a tag of an image")
        values.matching("SWARM_GENERATION", "1", r"[\w.-]{1,20}", "up to 20 letters and digits")
        values.matching("SWARM_FILESTORE_DRIVER", "local", r"\S+", _WORDS)
        values.matching("SWARM_FILESTORE_TYPE", "nfs", r"\S+", _WORDS)
        values.matching("SWARM_FILESTORE_OPTIONS", "", r"\S*", _WORDS)
        return cls(
            registry=values.matching(
                "SWARM_REGISTRY",
                "",
                r"([\w.-]+(:\d+)?(/[a-z0-9._-]+)*)?",
                "a place of images such as images.example.com/erp",
            ),
            filestore=values.matching("SWARM_FILESTORE_DEVICE", "", r"\S*", _WORDS),
        )
