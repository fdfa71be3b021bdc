"""`inv setup-tls letsencrypt` with real certbot, Nginx and Pebble."""

import json
import re
import stat

import pytest

from tests.e2e.support import images
from tests.e2e.support.pebble import DOMAIN, Pebble, Site, edited, neighbour, refusing


def test_the_seeds_command_gets_a_first_certificate_though_nothing_runs(
    site: Site, pebble: Pebble
) -> None:
    assert site.compose("rm", "--stop", "--force", "nginx").returncode == 0
    done = site.checkout.run("./scripts/setup-tls.sh", "letsencrypt")
    assert done.returncode == 0, done.stderr
    assert site.compose("ps", "--all", "--quiet").stdout == ""  # as it was before
    about = json.loads((site.current / "about.json").read_text())
    assert (about["kind"], about["server"]) == ("letsencrypt", pebble.directory)
    assert stat.S_IMODE((site.current / "privkey.pem").stat().st_mode) == 0o600
    assert site.compose("up", "--detach", "--no-deps", "--wait", "nginx").returncode == 0
    assert site.get("/nginx-health", pebble.root()) == 200


def test_with_nginx_running_it_is_reloaded_and_the_key_is_in_no_output(
    site: Site, pebble: Pebble
) -> None:
    nginx = site.nginx()
    assert site.checkout.inv("setup-tls", "selfsigned", "--force").returncode == 0
    first = site.served()
    order = ["setup-tls", "letsencrypt", "--force", "--email", "me@example.com"]
    done = site.checkout.inv("--echo", *order)
    assert done.returncode == 0, done.stderr
    assert "certonly" in done.stderr
    lines = (site.current / "privkey.pem").read_text().splitlines()[1:-1]
    assert lines and not [line for line in lines if line in done.stdout + done.stderr]
    assert site.served() != first
    assert site.get("/nginx-health", pebble.root()) == 200
    assert site.nginx() == nginx
    assert site.setting("ACME_EMAIL") == "me@example.com"


def test_a_good_certificate_is_kept_and_the_authority_left_alone(
    site: Site, pebble: Pebble
) -> None:
    before = site.served()
    done = site.checkout.inv("setup-tls", "letsencrypt")
    assert done.returncode == 0, done.stderr
    assert "letsencrypt, kept" in done.stdout
    assert site.served() == before


def test_another_domain_is_certified_first_and_served_then(site: Site, pebble: Pebble) -> None:
    try:
        done = site.checkout.inv("setup-tls", "letsencrypt", "--domain", f"new.test,{DOMAIN}")
        assert done.returncode == 0, done.stderr
        assert site.setting("ODOO_DOMAIN") == f"new.test {DOMAIN}"
        assert site.get("/nginx-health", pebble.root(), "new.test") == 200
        assert site.get("/nginx-health", pebble.root(), DOMAIN) == 308  # to the first
    finally:
        done = site.checkout.inv("setup-tls", "letsencrypt", "--domain", DOMAIN)
        assert done.returncode == 0, done.stderr
    with pytest.raises(OSError, match=r"(?i)unrecognized.name|handshake|alert"):
        site.get("/nginx-health", pebble.root(), "new.test")


def test_a_domain_changed_in_the_settings_is_noticed_at_renewal(site: Site, pebble: Pebble) -> None:
    env = site.checkout.root / ".env"
    with edited(env, lambda text: text.replace(f"={DOMAIN}", f"={DOMAIN} shop.test")):
        done = site.checkout.inv("renew-tls")
        assert done.returncode == 0, done.stderr
        assert site.get("/nginx-health", pebble.root(), "shop.test") == 308  # to the first
    assert site.checkout.inv("renew-tls").returncode == 0


def _state(site: Site) -> tuple[object, ...]:
    return site.served(), site.current.resolve(), site.setting("ODOO_DOMAIN")


def _fails(site: Site, *arguments: str) -> str:
    """What is said by a run that has to fail and to change nothing."""
    before = _state(site)
    done = site.checkout.inv("setup-tls", "letsencrypt", "--force", *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "\nhint: " in done.stderr
    assert _state(site) == before
    return done.stderr


def test_a_domain_without_an_address_never_reaches_the_authority(
    site: Site, pebble: Pebble
) -> None:
    said = _fails(site, "--domain", "nowhere.test")
    assert "nowhere.test has no address in DNS" in said
    assert "Make DNS point to this server" in said


def test_a_domain_that_another_server_answers_never_reaches_the_authority(
    site: Site, pebble: Pebble
) -> None:
    image = images.in_use(site.checkout)["NGINX_IMAGE"]
    with neighbour(site, "elsewhere.test", image):
        said = _fails(site, "--domain", f"{DOMAIN},elsewhere.test")
    assert "http://elsewhere.test" in said and "is answered by another server" in said


def test_a_closed_port_is_warned_of_and_then_named_by_the_authority(
    site: Site, pebble: Pebble
) -> None:
    image = images.in_use(site.checkout)["REDIS_IMAGE"]
    with neighbour(site, "closed.test", image):
        said = _fails(site, "--domain", "closed.test")
    assert "warning: http://closed.test" in said and "does not answer from here" in said
    assert "open it in the firewall" in said


@pytest.mark.parametrize(
    ("status", "problem", "detail", "hint"),
    [
        (429, "rateLimited", "too many certificates already issued", "rate limit is reached"),
        *(
            pytest.param(*each, marks=pytest.mark.extended)
            for each in (
                (403, "caa", "CAA record for odoo.test prevents", "CAA record in DNS forbids"),
                (500, "serverInternal", "Error creating new order", "said no more"),
                (
                    503,
                    "rateLimited",
                    "Service busy; retry later",
                    "said no more|trouble of its own",
                ),
            )
        ),
    ],
)
def test_an_authority_that_refuses_is_quoted(
    site: Site, pebble: Pebble, status: int, problem: str, detail: str, hint: str
) -> None:
    with refusing(site, status, problem, detail) as server:
        said = _fails(site, "--server", server)
    assert detail in said
    assert re.search(hint, said)


def test_a_name_that_the_authority_forbids_is_quoted(site: Site, pebble: Pebble) -> None:
    said = _fails(site, "--domain", "blocked.test")
    assert "forbidden by policy" in said and "does not issue certificates" in said


def test_an_authority_that_is_not_there_is_an_error(site: Site, pebble: Pebble) -> None:
    said = _fails(site, "--server", "https://nobody.test:14000/dir")
    assert "The authority itself cannot be reached" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--domain", "192.0.2.7"], "no certificate can be had for 192.0.2.7"),
        (["--domain", "*.odoo.test"], "no certificate can be had for *.odoo.test"),
        (["--domain", "https://odoo.test"], "neither a domain nor an IP address"),
        (["--staging"], "no certificate can be had for odoo.test from acme-staging"),
        (["--staging", "--server", "https://pebble:14000/dir"], "two different authorities"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_tried(
    site: Site, arguments: list[str], words: str
) -> None:
    before = _state(site)
    done = site.checkout.inv("setup-tls", "letsencrypt", *arguments)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert _state(site) == before
