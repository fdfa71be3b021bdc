"""A real NFS server (nfs-ganesha) on a machine of its own, and its export mounted on others.

The kernel of a machine that runs tests need not have NFS: the client is fuse-nfs, on libnfs.
https://github.com/nfs-ganesha/nfs-ganesha, https://github.com/sahlberg/fuse-nfs
"""

import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.support.swarm_nodes import Machine
from tests.support.waiting import eventually

PROGRAMS: Final = ("ganesha.nfsd", "rpcbind", "fuse-nfs")
_PORT: Final = 2049
_CONFIGURATION: Final = """
NFS_CORE_PARAM {{
    Protocols = 3;
    Enable_UDP = false;
    Enable_NLM = false;
    Enable_RQUOTA = false;
}}
EXPORT {{
    Export_Id = 1;
    Path = {export};
    Pseudo = /export;
    Access_Type = RW;
    Squash = No_Root_Squash;
    Protocols = 3;
    Transports = TCP;
    SecType = sys;
    FSAL {{ Name = VFS; }}
}}
"""


def missing() -> list[str]:
    """Those of the programs that are not here."""
    return [name for name in PROGRAMS if not shutil.which(name)]


@dataclass
class NfsServer(Machine):
    """The server; it has no engine."""

    export: Path = field(default_factory=Path)

    def start(self) -> None:
        """Start it, again if need be."""
        if len(self.processes) == 1:
            self.do("mount", "-t", "tmpfs", "tmpfs", "/run")  # for the socket of rpcbind
            self._spawn(*self.inside(), "rpcbind", "-w", "-f")
            (self.run / "ganesha.conf").write_text(_CONFIGURATION.format(export=self.export))
        files = ["-f", f"{self.run}/ganesha.conf", "-p", f"{self.run}/ganesha.pid"]
        self._spawn(*self.inside(), "ganesha.nfsd", "-F", "-L", f"{self.run}/log", *files)
        assert eventually(self._answers, 60), (self.run / "log").read_text()[-3000:]

    def kill(self) -> None:
        """End it by SIGKILL."""
        pid = (self.run / "ganesha.pid").read_text().strip()
        self.do("kill", "-KILL", pid)
        self.processes.pop().wait()

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, _PORT), timeout=5):
                return True
        except OSError:
            return False


def mount(machine: Machine, server: NfsServer, place: Path) -> None:
    """Have `machine`, and it only, see the export at `place`."""
    place.mkdir(exist_ok=True)
    share = f"nfs://{server.address}{server.export}"
    machine.do("fuse-nfs", "-o", "-n", share, "-m", str(place))
    seen = Path(f"/proc/{machine.init()}/mounts")
    assert eventually(lambda: f" {place} fuse" in seen.read_text(), 30)
