"""Several containers of Odoo: one is lost, all are replaced, and nobody notices."""

import json
import textwrap
from typing import Any

from tests.e2e.support.load import Load
from tests.e2e.support.production import Production
from tests.support.waiting import eventually

_CODE = """
from odoo import http

class Deployed(http.Controller):
    @http.route("/deployed", auth="public")
    def deployed(self):
        return "%s"
"""


def _containers(platform: Production, service: str) -> list[str]:
    label = f"label=com.docker.compose.service={service}"
    project = f"label=com.docker.compose.project={platform.project}"
    listed = ("docker", "ps", "--format", "{{.Names}}", "--filter", label, "--filter", project)
    return sorted(platform.run(*listed).stdout.split())


def _write(platform: Production, text: str, *, broken: bool = False) -> None:
    folder = platform.root / "odoo" / "addons" / "zz_deployed"
    folder.mkdir(exist_ok=True)
    manifest = {"name": "Deployed", "depends": ["base"], "license": "LGPL-3"}
    (folder / "__manifest__.py").write_text(repr(manifest))
    code = textwrap.dedent(_CODE) % text
    (folder / "__init__.py").write_text(code + ("\nraise RuntimeError\n" if broken else ""))


def _deployed(platform: Production, *arguments: str) -> dict[str, Any]:
    """What `inv deploy` has printed; with visitors meanwhile, of whom all were served."""
    visitors = Load(platform, platform.log_in())
    with visitors.going_on():
        done = platform.inv(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert not visitors.failed, "\n".join(visitors.failed[:5]) + done.stderr
    assert visitors.read and visitors.written
    visitors.assert_as_told()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _said(platform: Production) -> str:
    return platform.ask("/deployed").text


def test_replicas_share_the_work_and_outlive_the_loss_of_one(replicas: Production) -> None:
    assert len(_containers(replicas, "odoo")) == 2
    titles = {
        service: replicas.execute(service, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        for service in ("odoo", "odoo_cron", "odoo_websocket")
    }
    assert titles["odoo_websocket"].count("platform-odoo gevent") == 1
    assert "gevent" not in titles["odoo"] + titles["odoo_cron"]
    cookie = replicas.log_in()
    killed = _containers(replicas, "odoo")[0]
    replicas.run("docker", "kill", killed)
    for _ in range(4):  # whichever Nginx asks
        assert replicas.ask("/odoo", headers={"Cookie": cookie}).status == 200
    replicas.run("docker", "start", killed)  # the engine does not, after a kill by hand
    rows = replicas.inv("health", "--only", "replicas,websocket,connections", "--json")
    assert eventually(lambda: replicas.inv("health", "--only", "replicas").returncode == 0, 120)
    assert {row["name"] for row in json.loads(rows.stdout)["checks"]} == {
        "Replicas", "Websocket", "Connections"
    }  # fmt: skip


def test_a_deployment_goes_unnoticed_and_back_again(replicas: Production) -> None:
    _write(replicas, "first")
    assert replicas.inv("module.install", "zz_deployed").returncode == 0
    first = _deployed(replicas, "deploy", "--force")
    assert first["result"] == "deployed" and _said(replicas) == "first"
    before = {name for s in ("odoo", "odoo_websocket") for name in _containers(replicas, s)}

    _write(replicas, "second")
    second = _deployed(replicas, "deploy", "--code-only")
    assert _said(replicas) == "second"
    assert second["before"] == first["after"] != second["after"]
    after = {name for s in ("odoo", "odoo_websocket") for name in _containers(replicas, s)}
    assert len(after) == 3 and not before & after
    assert len(_containers(replicas, "odoo_cron")) == 1
    assert replicas.execute("nginx", "ls", "/run").find("upstreams\n") == -1

    back = _deployed(replicas, "deploy.rollback")
    assert back["result"] == "rolled back" and _said(replicas) == "first"
    assert replicas.inv("up").returncode == 0  # which is what serves from now on
    assert _said(replicas) == "first"


def test_code_that_does_not_load_is_never_served(replicas: Production) -> None:
    _write(replicas, "broken", broken=True)
    visitors = Load(replicas, replicas.log_in())
    with visitors.going_on():
        done = replicas.inv("deploy", "--code-only")
    assert done.returncode == 1 and "RuntimeError" in done.stderr
    assert "serves no page" in done.stderr
    assert not visitors.failed and visitors.written
    visitors.assert_as_told()
    assert len(_containers(replicas, "odoo")) == 2
    listed = json.loads(replicas.inv("deploy.list", "--json").stdout)
    assert [row["result"] for row in listed] == ["returned", "rolled back", "deployed", "deployed"]
    assert listed[0]["who"] and "its last log" not in listed[0]["reason"]
    assert replicas.inv("restart", "odoo").returncode == 0  # by the copy of the code that served
    assert _said(replicas) == "first"


def test_one_container_again(replicas: Production) -> None:
    _write(replicas, "third")
    done = replicas.inv("up", "--replicas", "0")
    assert done.returncode == 0, done.stderr
    assert [len(_containers(replicas, s)) for s in ("odoo", "odoo_cron", "odoo_websocket")] == [
        1, 0, 0
    ]  # fmt: skip
    only = replicas.inv("health", "--only", "websocket,odoo-proxy")
    assert only.returncode == 0, only.stdout
    _deployed(replicas, "deploy", "--force", "--code-only")
