"""`inv renew-tls`: due or not, without a failed request, and never worse off than before."""

import json
import shutil
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from scripts.tls import certificates
from tests.e2e.support.pebble import Pebble, Site, edited
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def certified(site: Site, pebble: Pebble) -> None:
    """A certificate of Pebble in use."""
    about = site.current / "about.json"
    if about.is_file() and json.loads(about.read_text())["server"] == pebble.directory:
        return  # a run that keeps it takes three seconds
    done = site.checkout.inv("setup-tls", "letsencrypt")
    assert done.returncode == 0, done.stderr


def test_what_is_not_due_stays_and_says_nothing_in_cron(site: Site) -> None:
    before = site.served()
    done = site.checkout.inv("renew-tls")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert site.served() == before
    told = json.loads(site.checkout.inv("renew-tls", "--json").stdout)
    assert (told["state"], told["kind"]) == ("not due", "letsencrypt")


def test_what_is_due_is_renewed(site: Site) -> None:
    with Pebble(site.checkout, "pebble-brief", valid_seconds=60).running(site.identity) as brief:
        server = ["--server", brief.directory]
        assert site.checkout.inv("setup-tls", "letsencrypt", *server).returncode == 0
        first = site.served()
        assert site.checkout.inv("renew-tls").returncode == 3
        assert eventually(lambda: datetime.now(UTC) > _due(first), 60)
        assert site.checkout.inv("renew-tls").returncode == 0
        assert site.served().serial_number != first.serial_number
        assert site.get("/nginx-health", brief.root()) == 200


def _due(certificate: x509.Certificate) -> datetime:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return end - (end - start) * certificates.RENEW_AT


@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.soak)])
def test_renewals_under_load_fail_not_one_request(site: Site, pebble: Pebble, times: int) -> None:
    root, stop = pebble.root(), threading.Event()
    answers: list[object] = []

    def ask() -> None:
        while not stop.wait(0.02):
            try:
                answers.append(site.get("/nginx-health", root))
            except Exception as error:
                answers.append(error)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(times):
            before = site.served()
            done = site.checkout.inv("renew-tls", "--force")
            assert done.returncode == 0, done.stderr
            assert site.served() != before
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert len(answers) > 100 * times
    assert set(answers) == {200}


def test_nginx_that_refuses_its_files_keeps_the_old_certificate(site: Site) -> None:
    before = site.served(), site.current.resolve()
    conf = site.checkout.root / "nginx" / "snippets" / "limits.conf"
    with edited(conf, lambda text: text + "nonsense on;\n"):
        done = site.checkout.inv("renew-tls", "--force")
        assert done.returncode == 1
        assert "nonsense" in done.stderr and "refuses" in done.stderr
        assert (site.served(), site.current.resolve()) == before
    # What the authority had issued already is used now: no second order.
    done = site.checkout.inv("setup-tls", "letsencrypt", "--force")
    assert done.returncode == 0, done.stderr


def test_a_new_file_that_is_not_served_is_an_error_and_goes_back(site: Site) -> None:
    before = site.served(), site.current.resolve()
    # A master process that hears nothing: the workers go on with the old certificate.
    pid = _nginx_master(site)
    site.checkout.run("kill", "-STOP", pid)
    try:
        done = site.checkout.inv("renew-tls", "--force")
    finally:
        site.checkout.run("kill", "-CONT", pid)
    assert done.returncode == 1
    assert "serves another certificate" in done.stderr
    assert site.current.resolve() == before[1]
    assert eventually(lambda: site.served() == before[0], 10)


def _nginx_master(site: Site) -> str:
    top = site.checkout.run("docker", "top", site.checkout.container("nginx"), "-eo", "pid,args")
    return next(line.split()[0] for line in top.stdout.splitlines() if "nginx: master" in line)


def test_a_file_that_was_switched_behind_nginxs_back_is_served_after_the_next_run(
    site: Site,
) -> None:
    assert site.checkout.inv("renew-tls", "--force").returncode == 0
    newest = site.current.readlink()
    versions = sorted((site.checkout.root / "nginx/certs/versions").glob("letsencrypt-*"))
    other = next(path for path in reversed(versions) if path.name != newest.name)
    _link(site.current, Path("versions") / other.name)
    unserved = site.served()
    assert site.checkout.inv("renew-tls").returncode == 3
    assert site.served() != unserved


def _link(link: Path, target: Path) -> None:
    link.unlink()
    link.symlink_to(target)


def test_two_at_once_let_one_through_and_name_it_to_the_other(site: Site) -> None:
    arguments = ["./scripts/inv", "renew-tls", "--force"]
    both = [site.checkout.start(*arguments) for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert any("`inv renew-tls` (process" in err and "still running" in err for _, err in outputs)


def test_a_killed_renewal_leaves_a_working_site_and_the_next_one_works(
    site: Site, pebble: Pebble
) -> None:
    process = site.checkout.start("./scripts/inv", "renew-tls", "--force")
    time.sleep(3)  # anywhere within: the state has to be good at every moment
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert site.get("/nginx-health", pebble.root()) == 200
    # certbot's container outlives its caller by a few seconds.
    assert eventually(lambda: site.checkout.inv("renew-tls", "--force").returncode == 0, 60)
    assert site.get("/nginx-health", pebble.root()) == 200


def test_a_certificate_of_ones_own_is_served_and_never_replaced(site: Site, pebble: Pebble) -> None:
    current = site.current
    saved = current.readlink()
    pair = {name: (current / name).read_bytes() for name in ("fullchain.pem", "privkey.pem")}
    current.unlink()
    current.mkdir()
    try:
        for name, content in pair.items():
            (current / name).write_bytes(content)
        done = site.checkout.inv("renew-tls", "--json")
        assert done.returncode == 3, done.stderr
        assert json.loads(done.stdout)["kind"] == "own"
        assert site.checkout.inv("setup-tls", "selfsigned").returncode == 1
        assert (current / "privkey.pem").read_bytes() == pair["privkey.pem"]
        (current / "privkey.pem").write_text("nonsense")
        done = site.checkout.inv("renew-tls")
        assert done.returncode == 1
        assert "the private key cannot be read" in done.stderr
    finally:
        shutil.rmtree(current)
        current.symlink_to(saved)
