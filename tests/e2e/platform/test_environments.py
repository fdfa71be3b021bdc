"""Development becomes production, and stays it until somebody says otherwise."""

from tests.e2e.support.checkout import Checkout, free_port
from tests.e2e.support.health_report import is_healthy


def test_a_development_platform_becomes_production_and_back(platform: Checkout) -> None:
    port = str(free_port())
    try:
        done = platform.inv("up", "--prod", NGINX_HTTPS_PORT=port)
        assert done.returncode == 0, done.stderr
        assert "a self-signed certificate stands in" in done.stderr
        # As docs/installation.md types it, without a word of the environment.
        said = platform.run("./scripts/health.sh", NGINX_HTTPS_PORT=port).stdout
        assert is_healthy(said), said
        assert not (platform.inspect("odoo")["NetworkSettings"]["Ports"].get("8069/tcp"))
        top = platform.run("docker", "top", platform.container("odoo"), "-eo", "pid,args").stdout
        assert len([line for line in top.splitlines() if "platform-odoo" in line]) >= 7
        assert platform.sql("SHOW shared_buffers") == "1GB"
        _it_stays_production(platform, port)
        install = ["odoo", "-d", "odoo", "-u", "contacts", "--stop-after-init"]
        done = platform.exec("odoo", *install)
        assert done.returncode == 0, done.stderr
    finally:
        assert platform.inv("up", "--dev", NGINX_HTTPS_PORT=port).returncode == 0
    assert platform.get("/web/login") == 200
    assert not platform.container("archiver"), "only production archives by itself"
    assert platform.inspect("odoo")["NetworkSettings"]["Ports"]["8069/tcp"]


def _it_stays_production(platform: Checkout, port: str) -> None:
    before = platform.container("nginx"), platform.container("odoo")
    (platform.root / ".env").write_text(_without_environment(platform))  # as started by hand
    done = platform.inv("up", NGINX_HTTPS_PORT=port)
    assert done.returncode == 0, done.stderr
    assert "Production runs here and stays" in done.stderr
    assert (platform.container("nginx"), platform.container("odoo")) == before
    (platform.root / ".env").write_text(_without_environment(platform))
    assert platform.inv("down", NGINX_HTTPS_PORT=port).returncode == 0
    done = platform.inv("up", NGINX_HTTPS_PORT=port)
    assert done.returncode == 0, done.stderr
    assert f"Odoo: https://localhost:{port}" in done.stdout
    refused = platform.inv("up", NGINX_HTTPS_PORT=port, PLATFORM_ENV="dev")
    assert refused.returncode == 1
    assert "production runs here, and PLATFORM_ENV=dev says otherwise" in refused.stderr


def _without_environment(platform: Checkout) -> str:
    lines = (platform.root / ".env").read_text().splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith("PLATFORM_ENV="))
