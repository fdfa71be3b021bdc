"""Headless Chromium: what a person sees, and every request it took."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.wait import WebDriverWait

from tests.e2e.support import tools
from tests.e2e.support.checkout import Checkout, free_port
from tests.support.waiting import eventually

_PORT = 9515
_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
]
_TRUST = "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n platform -i /ca.pem"


@dataclass(frozen=True)
class Response:
    """One answer, as Chromium's developer tools show it."""

    status: int
    url: str
    protocol: str


class Browsers:
    """A container that starts one browser after another, each without a past."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    @contextmanager
    def open(self) -> Iterator[WebDriver]:
        """A new browser with an empty cache."""
        driver = eventually(self._start, 30)
        assert driver, "chromedriver does not answer"
        try:
            yield driver
        finally:
            driver.quit()

    def _start(self) -> WebDriver | None:
        options = webdriver.ChromeOptions()
        for flag in _FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        try:
            return webdriver.Remote(self._address, options=options)
        except Exception:
            return None


@contextmanager
def browsers(checkout: Checkout, *arguments: str, trust: bool = False) -> Iterator[Browsers]:
    """Browsers on the platform's network; with `trust` the CA mounted at /ca.pem is believed."""
    image = tools.build(checkout, "browser")
    port = free_port()
    publish = ["--publish", f"127.0.0.1:{port}:{_PORT}", *arguments, image]
    with tools.on_the_edge(checkout, "browser", *publish) as container:
        if trust:
            done = checkout.run("docker", "exec", container, "sh", "-c", _TRUST)
            assert done.returncode == 0, done.stderr
        yield Browsers(port)


def log_in(driver: WebDriver, url: str, password: str) -> None:
    """From the login page to the first screen of the back end, as admin."""
    wait = WebDriverWait(driver, 60)
    driver.get(f"{url}/web/login")
    visible = expected_conditions.visibility_of_element_located
    # Hidden until the page's scripts have arrived.
    wait.until(visible((By.CSS_SELECTOR, "input[name=login]"))).send_keys("admin")
    driver.find_element(By.CSS_SELECTOR, "input[name=password]").send_keys(password)
    driver.find_element(By.CSS_SELECTOR, "form.oe_login_form button[type=submit]").click()
    wait.until(visible((By.CSS_SELECTOR, ".o_main_navbar")))
    wait.until(visible((By.CSS_SELECTOR, ".o_action_manager > *")))


def log(driver: WebDriver, kind: str) -> list[dict[str, Any]]:
    """What is new in one of Chromium's logs: browser or performance."""
    # Chromium's own command; Selenium offers it for local browsers only.
    executor: Any = driver.command_executor
    executor.add_command("getLog", "POST", "/session/$sessionId/se/log")
    entries: list[dict[str, Any]] = driver.execute("getLog", {"type": kind})["value"]
    return entries


def severe(driver: WebDriver) -> list[dict[str, Any]]:
    """The errors in the browser's console."""
    return [entry for entry in log(driver, "browser") if entry["level"] == "SEVERE"]


def events(driver: WebDriver, seconds: float = 0) -> list[dict[str, Any]]:
    """What the developer tools have seen since the last call, and within `seconds` from now."""
    deadline = time.monotonic() + seconds
    found: list[dict[str, Any]] = []
    while True:
        found += [json.loads(entry["message"])["message"] for entry in log(driver, "performance")]
        if time.monotonic() >= deadline:
            return found
        time.sleep(0.25)


def responses(seen: list[dict[str, Any]]) -> list[Response]:
    """The answers among the events `seen`."""
    found = []
    for event in seen:
        if event["method"] == "Network.responseReceived":
            answer = event["params"]["response"]
            if answer["url"].startswith("http"):
                protocol = answer.get("protocol", "")
                found.append(Response(answer["status"], answer["url"], protocol))
    return found
