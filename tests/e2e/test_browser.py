"""The login, as a person sees it: headless Chromium, through Nginx."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.wait import WebDriverWait

from scripts.core.settings import Settings
from scripts.stack import debian, images
from tests.e2e.checkout import Checkout, eventually, free_port

IMAGE = "localhost/ipai/test-browser:1"
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--window-size=1280,900",
]  # fmt: skip


@pytest.fixture
def browser(platform: Checkout) -> Iterator[WebDriver]:
    base = (
        debian.BASE
        if debian.is_ours(images.effective(Settings.load(platform.root))["NGINX_IMAGE"])
        else ""
    )
    options = ["--build-arg", f"BASE_IMAGE={base}"] if base else []
    folder = str(Path(__file__).parent / "browser")
    built = platform.run("docker", "build", "--quiet", "--tag", IMAGE, *options, folder)
    assert built.returncode == 0, built.stderr
    port = free_port()
    name = f"{platform.project}-browser"
    run = ["docker", "run", "--detach", "--rm", "--name", name, "--network"]
    edge = [f"{platform.project}_edge", "--publish", f"127.0.0.1:{port}:9515", IMAGE]
    started = platform.run(*run, *edge)
    assert started.returncode == 0, started.stderr
    try:
        driver = eventually(lambda: _connect(port), 30)
        assert driver, "chromedriver does not answer"
        yield driver
        driver.quit()
    finally:
        platform.run("docker", "rm", "--force", "--volumes", name)


def _connect(port: int) -> WebDriver | None:
    options = webdriver.ChromeOptions()
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        return webdriver.Remote(f"http://127.0.0.1:{port}", options=options)
    except Exception:
        return None


def _log(driver: WebDriver, kind: str) -> list[dict[str, Any]]:
    # Chromium's own command; Selenium offers it for local browsers only.
    executor: Any = driver.command_executor
    executor.add_command("getLog", "POST", "/session/$sessionId/se/log")
    entries: list[dict[str, Any]] = driver.execute("getLog", {"type": kind})["value"]
    return entries


def _failed_requests(driver: WebDriver) -> list[tuple[int, str]]:
    failed = []
    for entry in _log(driver, "performance"):
        message: dict[str, Any] = json.loads(entry["message"])["message"]
        if message["method"] == "Network.responseReceived":
            response = message["params"]["response"]
            if response["status"] >= 400:
                failed.append((response["status"], response["url"]))
    return failed


def test_a_person_logs_in_and_sees_no_error(platform: Checkout, browser: WebDriver) -> None:
    wait = WebDriverWait(browser, 60)
    browser.get("http://nginx/web/login")
    visible = expected_conditions.visibility_of_element_located
    wait.until(visible((By.CSS_SELECTOR, "input[name=login]"))).send_keys("admin")
    browser.find_element(By.CSS_SELECTOR, "input[name=password]").send_keys(platform.admin_password)
    browser.find_element(By.CSS_SELECTOR, "form.oe_login_form button[type=submit]").click()
    wait.until(visible((By.CSS_SELECTOR, ".o_main_navbar")))
    wait.until(visible((By.CSS_SELECTOR, ".o_action_manager > *")))
    browser.save_screenshot(str(platform.root / ".state" / "login.png"))
    severe = [entry for entry in _log(browser, "browser") if entry["level"] == "SEVERE"]
    assert severe == []
    assert _failed_requests(browser) == []
