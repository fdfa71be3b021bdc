"""The page that Nginx shows while Odoo is away, and the gate that keeps people out."""

import re
from html.parser import HTMLParser

from tests.static.support.project import ROOT

_NGINX = ROOT / "nginx"
_LONGEST_PARAMETER = 4096  # of a directive; Nginx refuses to start with a longer one


class _Page(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, list[dict[str, str | None]]] = {}
        self.text = ""
        found = re.search(r"return 503 '(.*)';", (_NGINX / "snippets/away.conf").read_text(), re.S)
        assert found
        self.source = found[1]
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_but_itself() -> None:
    page = _Page()
    assert not {"script", "link", "img", "iframe", "a", "base"} & page.tags.keys()
    attributes = {name for tags in page.tags.values() for tag in tags for name in tag}
    assert not {"src", "href", "style"} & attributes
    assert not re.search(r"url\(|@import|https?:", page.source)


def test_the_page_is_for_everybody_and_comes_back_by_itself() -> None:
    page = _Page()
    assert page.source.startswith("<!doctype html>")
    assert page.tags["html"] == [{"lang": "en"}]
    named = {tag.get("name"): tag["content"] for tag in page.tags["meta"] if "content" in tag}
    assert named["viewport"] == "width=device-width, initial-scale=1"
    assert named["color-scheme"] == "light dark"
    assert {"http-equiv": "refresh", "content": "5"} in page.tags["meta"]
    assert "Back in a moment" in page.text


def test_nginx_can_take_the_page_as_it_stands() -> None:
    source = _Page().source
    assert len(source.encode()) < _LONGEST_PARAMETER
    assert "$" not in source, "Nginx would look for a variable"


def test_the_gate_is_looked_for_where_it_is_made() -> None:
    made = re.search(r"^closed=(\S+)", (_NGINX / "gate").read_text(), re.M)
    assert made
    proxy = (_NGINX / "snippets/odoo-proxy.conf").read_text()
    assert re.findall(r"-f ([^)]+)\)", proxy) == [made[1], made[1]]


def test_what_odoo_itself_answers_is_never_replaced() -> None:
    for path in [*_NGINX.rglob("*.conf"), *_NGINX.rglob("*.template")]:
        assert "intercept_errors" not in path.read_text(), path.name
