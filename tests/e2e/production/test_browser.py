"""The platform as a person sees it: headless Chromium, through Nginx."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from tests.e2e.support import browsing, gate
from tests.e2e.support.browsing import Browsers
from tests.e2e.support.production import NAME, OTHER_NAME, Production
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def secure(production: Production) -> Iterator[Browsers]:
    """Browsers that trust the platform's private CA, by its certificate and nothing else."""
    address = production.address("nginx")
    names = [f"--add-host={name}:{address}" for name in (NAME, OTHER_NAME)]
    mount = f"--volume={production.ca}:/ca.pem:ro"
    with browsing.browsers(production, *names, mount, trust=True) as found:
        yield found


def _first_visit(browsers: Browsers, password: str) -> tuple[list[browsing.Response], list[str]]:
    """All answers of a first login, and what the console complains about."""
    with browsers.open() as driver:
        browsing.log_in(driver, f"https://{NAME}", password)
        seen = browsing.events(driver, 3)
        return browsing.responses(seen), [str(entry) for entry in browsing.severe(driver)]


def _notes(driver: WebDriver, text: str) -> list[str]:
    """The notifications in the corner that hold `text`."""
    shown = driver.execute_script(
        "return [...document.querySelectorAll('.o_notification')].map((note) => note.textContent)"
    )
    return [note for note in shown if text in note]


def test_over_https_a_first_visit_is_never_refused(
    production: Production, secure: Browsers
) -> None:
    production.forget_limits()
    answers, complaints = _first_visit(secure, production.admin_password)
    assert complaints == []
    assert [answer for answer in answers if answer.status >= 400] == []
    assert len(answers) > 20
    assert {a.protocol for a in answers if a.url.startswith(f"https://{NAME}/")} == {"h2"}


def test_three_people_behind_one_address_are_never_refused(
    production: Production, secure: Browsers
) -> None:
    production.forget_limits()
    with ThreadPoolExecutor(3) as pool:
        visits = list(pool.map(lambda _: _first_visit(secure, production.admin_password), range(3)))
    for answers, complaints in visits:
        assert complaints == []
        assert len(answers) > 20
        assert [answer for answer in answers if answer.status >= 400] == []


def test_live_updates_come_through_a_secure_websocket(
    production: Production, secure: Browsers
) -> None:
    with secure.open() as driver:
        browsing.log_in(driver, f"https://{NAME}", production.admin_password)
        script = """
            const [url, done] = arguments;
            const socket = new WebSocket(url);
            socket.onopen = () => done("open");
            socket.onerror = () => done("refused");
        """
        version = driver.execute_script(
            "return odoo.info && odoo.info.websocket_worker_version || ''"
        )
        url = f"wss://{NAME}/websocket?version={version}"
        assert driver.execute_async_script(script, url) == "open"
        shakes = [
            event["params"]["response"]["status"]
            for event in browsing.events(driver)
            if event["method"] == "Network.webSocketHandshakeResponseReceived"
        ]
        assert shakes and set(shakes) == {101}


def test_who_comes_while_the_gate_is_closed_gets_in_by_waiting(
    production: Production, secure: Browsers
) -> None:
    with secure.open() as driver:
        with gate.closed(production):
            driver.get(f"https://{NAME}/web/login")
            assert driver.title == "Back in a moment"
        seen = eventually(lambda: driver.find_elements(By.CSS_SELECTOR, ".oe_login_form"), 20)
        assert seen, driver.page_source


def test_the_web_client_takes_a_closed_gate_for_a_lost_connection(
    production: Production, secure: Browsers
) -> None:
    with secure.open() as driver:
        browsing.log_in(driver, f"https://{NAME}", production.admin_password)
        with gate.closed(production):
            driver.find_element(By.CSS_SELECTOR, ".o_user_menu button, button.o_user_menu").click()
            item = "[data-menu=settings], [data-menu=preferences]"
            eventually(lambda: driver.find_elements(By.CSS_SELECTOR, item), 10)[0].click()
            notes = eventually(lambda: _notes(driver, "Connection lost"), 20)
            assert notes, driver.page_source
        assert eventually(lambda: not _notes(driver, "Connection lost"), 60)
        assert "o_error_dialog" not in driver.page_source


def test_a_browser_that_does_not_know_the_ca_warns(production: Production) -> None:
    # The others would prove nothing if every certificate were taken.
    host = f"--add-host={NAME}:{production.address('nginx')}"
    with browsing.browsers(production, host) as found, found.open() as driver:
        driver.get(f"https://{NAME}/web/login")
        failed = [
            event["params"]["errorText"]
            for event in browsing.events(driver)
            if event["method"] == "Network.loadingFailed"
        ]
        assert failed == ["net::ERR_CERT_AUTHORITY_INVALID"]
        assert "oe_login_form" not in driver.page_source
