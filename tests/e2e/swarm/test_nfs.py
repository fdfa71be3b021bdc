"""Attachments on a real NFS server, which both machines mount and which goes away."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from scripts.stack.engine import Engine
from tests.e2e.support.nfs_server import NfsServer, missing, mount
from tests.e2e.support.template import Template
from tests.e2e.swarm.conftest import Swarm, joined, prepared
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.soak,
    pytest.mark.xdist_group("swarm"),
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}"),
]

_AWAY_SECONDS = 30
_ATTACH = """
for name in ("first.bin", "second.bin"):
    env["ir.attachment"].create({"name": name, "raw": name.encode() * 100_000})
env.cr.commit()
"""


@dataclass(frozen=True)
class Site:
    """The platform, and where its attachments are."""

    swarm: Swarm
    server: NfsServer

    def read(self, name: str) -> "subprocess.Popen[str]":
        """The file of an attachment, by the other machine's Odoo."""
        where = f"SELECT store_fname FROM ir_attachment WHERE name = '{name}'"
        path = f"/var/lib/odoo/filestore/odoo/{self.swarm.sql(where)}"
        container = self.swarm.container(self.swarm.other, "odoo")
        argv = ["docker", "--host", self.swarm.other.host, "exec", container, "cat", path]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def site(
    docker: Engine, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("swarm-nfs")
    export = folder / "export"
    export.mkdir(mode=0o755)
    with prepared(folder, 2, "ODOO_REPLICAS=2") as swarm:
        data, switch = folder / "server", swarm.manager.switch
        data.mkdir()
        with NfsServer(data, switch=switch, number=40, export=export) as server:
            for machine in (swarm.manager, swarm.other):
                mount(machine, server, folder / "filestore")
            joined(swarm)
            yield Site(swarm, server)


def test_what_one_machine_has_written_the_other_reads(site: Site) -> None:
    site.swarm.odoo(site.swarm.manager, "odoo", _ATTACH)
    reading = site.read("first.bin")
    assert reading.communicate(timeout=60)[0] == "first.bin" * 100_000
    assert list((site.server.export / "filestore" / "odoo").glob("*/*"))


def test_while_the_server_is_away_files_wait_and_nothing_else_does(site: Site) -> None:
    site.server.kill()
    begun = time.monotonic()
    reading = site.read("second.bin")
    with site.swarm.visitor as visitor:
        assert eventually(lambda: time.monotonic() - begun > _AWAY_SECONDS, 3 * _AWAY_SECONDS)
    assert visitor.asked > 50 and not visitor.failed
    assert reading.poll() is None
    site.server.start()
    assert reading.communicate(timeout=120)[0] == "second.bin" * 100_000
    site.swarm.odoo(site.swarm.manager, "odoo", _ATTACH.replace("first", "third"))
    assert site.read("third.bin").communicate(timeout=60)[0] == "third.bin" * 100_000
