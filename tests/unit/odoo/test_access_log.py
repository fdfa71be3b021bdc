"""What odoo/addons/session_redis leaves of addresses in Odoo's log."""

import importlib.util
import logging
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.conftest import ROOT
from tests.support.logged_paths import MASKED, READABLE

_SECRET = "s3cret"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    path = ROOT / "odoo" / "addons" / "session_redis" / "access_log.py"
    spec = importlib.util.spec_from_file_location("access_log", path)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def filtered(module: ModuleType) -> Iterator[None]:
    module.install()
    yield
    for name in module._LOGGERS:
        logging.getLogger(name).filters.clear()


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/web/reset_password?token=s3cret&db=odoo", "/web/reset_password?token=-&db=-"),
        ("/my/orders/1?access_token=s3cret", "/my/orders/1?access_token=-"),
        ("/web/login?redirect=%2Fmy%3Ftoken%3Ds3cret", "/web/login?redirect=-"),
        ('/a?b="&token=s3cret', "/a?b=-&token=-"),
        ("/a?b=\u00a0&token=s3cret", "/a?b=-&token=-"),
        ("/a?b=1?token=s3cret", "/a?b=-"),
        ("/a?token=x=s3cret", "/a?token=-"),
        ("/json/2/a?token=s3cret#res.partner.write", "/json/2/a?token=-#res.partner.write"),
        ("/web/static/a.css?1a2b", "/web/static/a.css?1a2b"),
        ("/web/health", "/web/health"),
        ("/a=b", "/a=b"),
        *MASKED,
        *((path, path) for path in READABLE),
        *((f"{path}?token=s3cret", f"{masked}?token=-") for path, masked in MASKED),
    ],
)
@pytest.mark.usefixtures("filtered")
def test_names_of_parameters_are_logged_and_no_values_or_tokens(
    caplog: pytest.LogCaptureFixture, path: str, logged: str
) -> None:
    with caplog.at_level(logging.INFO):
        # As Odoo logs a request, with the colours of a terminal; as gevent does; a thread dump.
        logging.getLogger("werkzeug").info(
            '1.2.3.4 - - [] "%s" %s %s', f"\x1b[33mGET {path} HTTP/1.1\x1b[0m", "404", "-"
        )
        logging.getLogger("longpolling").log(20, f'1.2.3.4 - - [] "GET {path} HTTP/1.1" 101 -\n')
        logging.getLogger("odoo.tools.misc").info(f"# Thread: a (url:https://x{path}) (qc:1)")
    assert caplog.messages[0] == f'1.2.3.4 - - [] "\x1b[33mGET {logged} HTTP/1.1\x1b[0m" 404 -'
    assert f'"GET {logged} HTTP/1.1" 101' in caplog.messages[1]
    assert caplog.messages[2].startswith(f"# Thread: a (url:https://x{logged}")
    assert "(qc:1)" in caplog.messages[2]
    assert _SECRET not in caplog.text


@pytest.mark.usefixtures("filtered")
def test_a_line_with_arguments_that_do_not_fit_is_left_to_its_handler(module: ModuleType) -> None:
    record = logging.LogRecord("werkzeug", 20, "", 1, "%d ?a=b", ("x",), None)
    assert module.WithoutTokens().filter(record) and record.args == ("x",)


@pytest.mark.usefixtures("filtered")
def test_tokens_are_masked_in_other_lines_about_requests(caplog: pytest.LogCaptureFixture) -> None:
    path, shown = MASKED[0]
    logging.getLogger("odoo.http").warning("CSRF validation failed on path '%s'", path)
    router = logging.getLogger("odoo.addons.http_routing.models.ir_http")
    router.warning("%r (lang: %r) couldn't not correctly route", "/r/aBc", "fr")
    logging.getLogger("odoo.http").warning("of 27/Nov/2026 on a/b/c, not %s", "text/html")
    assert caplog.messages == [
        f"CSRF validation failed on path '{shown}'",
        "'/r/***' (lang: 'fr') couldn't not correctly route",
        "of 27/Nov/2026 on a/b/c, not text/html",
    ]


def test_a_long_path_costs_no_time(module: ModuleType) -> None:
    parts = ("a1b2c3d4e5f6g7h8i9j0k-", "a-", "/", "%3D", "/a1B", "0", "/r", "A")
    began = time.process_time()
    for part in parts:
        module.without_tokens(f'"GET /{part * (8000 // len(part))}. HTTP/1.1"')
    assert time.process_time() - began < 2
