"""An update of the networks of a platform that runs."""

import json

from tests.e2e.support.checkout import Checkout
from tests.support.waiting import eventually

_OLD = {
    "    driver_opts: *closed\n": "",
    '  labels: { ipai.networks: "2" }\n': "",
}


def closed(platform: Checkout) -> bool:
    network = f"{platform.project}_backend"
    options = platform.run("docker", "network", "inspect", network, "--format", "{{.Options}}")
    return "inhibit_ipv4:true" in options.stdout


def healthy(platform: Checkout) -> bool:
    found = platform.compose("ps", "--format", "json").stdout.splitlines()
    return bool(found) and all(
        json.loads(line)["Health"] == "healthy" or json.loads(line)["Service"] == "mail_catcher"
        for line in found
    )


def test_a_running_platform_gets_closed_networks_by_inv_up(platform: Checkout) -> None:
    path = platform.root / "compose.yaml"
    new = path.read_text()
    old = new
    for line, former in _OLD.items():
        assert line in old
        old = old.replace(line, former)
    path.write_text(old)
    try:
        assert platform.inv("up").returncode == 0
        assert not closed(platform)
        assert eventually(lambda: healthy(platform), 60)
    finally:
        path.write_text(new)
    refused = platform.inv("module.list")  # in a container of its own, which would join them
    assert refused.returncode == 1 and "inv up" in refused.stderr, refused.stderr
    assert platform.get("/web/login") == 200, "it goes on as it is"
    done = platform.inv("up")
    assert done.returncode == 0, done.stderr
    assert closed(platform)
    assert platform.get("/web/login") == 200
    assert platform.authenticate("admin", platform.admin_password)
    found = platform.exec("redis", "getent", "hosts", "odoo_db", "odoo")
    assert found.returncode == 0, "the services find each other by their names"
    assert platform.inv("health").returncode == 0
    assert platform.inv("module.list").returncode == 0
