"""The comments of the Nginx configuration: where each value comes from can be read up."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.static.support.project import ROOT

_CONFIGURATION = sorted(
    path
    for path in (ROOT / "nginx").rglob("*")
    if path.suffix in {".conf", ".map", ".template"}
    and path.parent.name != "maintenance"  # not an asset: `inv maintenance` has written it
)
# Those who make the software or the standard: no blogs, no answers of somebody.
_SOURCES = {
    "nginx.org",
    "www.rfc-editor.org",
    "developer.mozilla.org",
    "wiki.mozilla.org",
    "cheatsheetseries.owasp.org",
    "www.odoo.com",
    "docs.docker.com",
    "docs.openssl.org",
    "docs.postgrest.org",
    "hub.docker.com",
    "letsencrypt.org",
}


def _links(path: Path) -> list[str]:
    comments = re.findall(r"(?m)(?:^|\s)#\s(.*)$", path.read_text())
    return [link for comment in comments for link in re.findall(r"https://\S+", comment)]


@pytest.mark.parametrize("path", _CONFIGURATION, ids=lambda path: str(path.name))
def test_a_file_links_to_the_documentation_of_its_directives(path: Path) -> None:
    links = _links(path)
    assert links
    assert {urlsplit(link).hostname for link in links} <= _SOURCES


@pytest.mark.parametrize("path", _CONFIGURATION, ids=lambda path: str(path.name))
def test_a_link_to_nginx_documentation_leads_to_a_directive(path: Path) -> None:
    for link in _links(path):
        url = urlsplit(link)
        if url.hostname == "nginx.org" and "_module" in url.path:
            assert re.fullmatch(r"/en/docs/(http/)?ngx_\w+_module\.html", url.path), link
            assert re.fullmatch(r"[a-z0-9_]+", url.fragment), link
