"""Settings of monitoring: whether it is wanted, and where its pages are."""

from dataclasses import dataclass
from typing import Final

from scripts.core.values import Values

PROFILE: Final = "monitoring"  # of the services in compose.yaml
BIND: Final = "127.0.0.1"  # its pages know no passwords
# What `inv health` has found, for the node exporter; below .state/.
RESULTS: Final = "metrics/health.prom"


@dataclass(frozen=True)
class MonitoringSettings:
    """Of one installation."""

    wanted: bool  # `inv up` starts it: with --monitoring, or for COMPOSE_PROFILES
    prometheus_port: int
    alertmanager_port: int

    @property
    def prometheus(self) -> str:
        """The address of Prometheus on this machine."""
        return f"http://localhost:{self.prometheus_port}"

    @property
    def alertmanager(self) -> str:
        """The address of Alertmanager on this machine."""
        return f"http://localhost:{self.alertmanager_port}"

    @classmethod
    def read(cls, values: Values) -> "MonitoringSettings":
        """Of `.env` and the environment; what is wrong is added to the problems of `values`."""
        return cls(
            wanted=PROFILE in values.words("COMPOSE_PROFILES"),
            prometheus_port=values.port("PROMETHEUS_PORT", 9090),
            alertmanager_port=values.port("ALERTMANAGER_PORT", 9093),
        )
