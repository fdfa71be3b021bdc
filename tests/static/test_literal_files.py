"""Assets, lock files, secrets in the open, and the Nginx configuration."""

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.core import env_file
from scripts.stack import start_watch
from scripts.stack.engine import Engine
from scripts.tls import certificates
from tests.static.support.project import ROOT, compose, documented, require_image, run, tracked

_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?i:password|passwd|secret|token)[\"']?\s*[:=]\s*[\"']?(?!/)[A-Za-z0-9+/_-]{24,}"
    r"|\b(?:ghp_|sk-|AKIA|xox[bp]-|eyJhbGci)[A-Za-z0-9_-]{16,}"
)
_NO_COMMENTS = {".json", ".lock", ".md", ".txt", ".gitkeep", ".dockerignore"}
_MOUNTS = {"default": "", "odoo-prod": "nginx/conf.d/sites"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _assets() -> list[Path]:
    """What a person is invited to change: everything read as it stands, without Python."""
    places = (
        "nginx/",
        "odoo/",
        "postgres/",
        "monitoring/",
        "requirements/",
        "compose",
        ".env.",
        "pyproject.toml",
        "supabase/postgres/",
        "supabase/config.toml",
    )
    return [
        path
        for path in tracked()
        # Of images/ the Dockerfile says it for all that it copies.
        if (
            _name(path).startswith(places)
            or (_name(path).startswith("images/") and path.name == "Dockerfile")
        )
        and not {path.suffix, path.name} & _NO_COMMENTS
        and not _name(path).startswith(("odoo/addons/", "odoo/scaffold/"))
    ]


@pytest.mark.parametrize("path", _assets(), ids=_name)
def test_an_asset_says_in_its_first_lines_that_it_is_edited_by_hand(path: Path) -> None:
    head = "\n".join(path.read_text().splitlines()[:6])
    assert re.search(r"\b[Ee]dit(ed)?\b", head), f"{_name(path)} does not say who edits it"


def test_there_are_assets_to_look_at() -> None:
    assert {"compose.yaml", "nginx/nginx.conf", "odoo/odoo.conf"} <= {_name(p) for p in _assets()}


def test_no_secret_lies_in_the_open() -> None:
    for path in tracked():
        if path.suffix == ".lock" or path.name == "package-lock.json":
            continue
        if _name(path) == Path(__file__).relative_to(ROOT).as_posix():
            continue
        found = _SECRET.search(path.read_bytes().decode(errors="replace"))
        assert not found, f"{_name(path)}: {found and found.group()[:30]}…"


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "db_password: " + "Zm9vYmFyYmF6cXV4Zm9vYmFy" + "YmF6cXV4",
        "token = '" + "a1b2c3d4" * 4 + "'",
    ],
)
def test_the_search_for_secrets_would_find_one(text: str) -> None:
    assert _SECRET.search(text)


@pytest.mark.parametrize("place", [".env", "secrets/db_password.txt", "nginx/certs/key.pem"])
def test_git_never_takes_what_is_private(place: str) -> None:
    assert run("git", "check-ignore", "--quiet", place).returncode == 0


def test_odoo_conf_holds_no_password() -> None:
    text = (ROOT / "odoo" / "odoo.conf").read_text()
    for line in text.splitlines():
        if re.match(r"\s*(admin_passwd|db_password)\s*=", line):
            assert line.partition("=")[2].strip() == ""


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.lock")), ids=_name)
def test_a_lock_file_pins_and_hashes_everything_and_names_no_server(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text)
    live = re.sub(r"^\s*#.*\n?", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    requirements = [line for line in live.splitlines() if line.strip()]
    assert requirements
    for line in requirements:
        assert re.match(r"[a-z0-9][a-z0-9.\-\[\]]*==\S+", line), line[:60]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line[:60]


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.in")), ids=_name)
def test_what_is_wanted_is_locked(path: Path) -> None:
    locked = path.with_suffix(".lock").read_text().lower()
    for line in path.read_text().splitlines():
        wanted = line.split("#")[0].strip().lower().replace("_", "-")
        if wanted and not wanted.startswith("-r"):
            name = re.split(r"[<>=~\[; ]", wanted)[0]
            assert re.search(rf"^{re.escape(name)}(\[.*\])?==", locked, re.MULTILINE), wanted


def test_the_secrets_of_the_code_have_an_example_each_and_no_more() -> None:
    from scripts.core.redis_settings import PASSWORD
    from scripts.credentials import SPECS
    from scripts.mail import PASSWORD_FILE

    examples = {path.name for path in (ROOT / "secrets.example").glob("*.txt")}
    # Those of a relay and of a Redis elsewhere are given by who runs them, and made by nobody here.
    assert examples == {PASSWORD_FILE, f"{PASSWORD}.txt", *(f"{spec.name}.txt" for spec in SPECS)}


def _nginx_image() -> str:
    stored = env_file.parse(ROOT / ".env").values.get("NGINX_IMAGE")
    return os.environ.get("NGINX_IMAGE") or stored or documented()["NGINX_IMAGE"]


def _production_environment() -> dict[str, str]:
    """What compose.prod.yaml gives to Nginx, for two names and the usual port."""
    given: dict[str, str] = compose("compose.prod.yaml")["services"]["nginx"]["environment"]
    filled = {
        "ODOO_DOMAIN": "odoo.test shop.test",
        "ODOO_ALIASES": "redirect",
        "ODOO_PUBLIC_PORT": "",
        "TRUSTED_PROXIES": "",
    }
    literal = {name: value for name, value in given.items() if "$" not in value}
    assert literal.keys() | filled.keys() == given.keys()
    return literal | filled


def _copy_with_certificate(place: Path) -> Path:
    """nginx/ with a certificate where `inv setup-tls` would put it."""
    copy = place / "nginx"
    shutil.copytree(ROOT / "nginx", copy, ignore=shutil.ignore_patterns("certs"))
    now = datetime.now(UTC)
    ca = certificates.make_ca(now)
    leaf = certificates.make_leaf(ca, ["odoo.test", "shop.test"], now)
    current = copy / "certs" / "current"
    current.mkdir(parents=True)
    (current / "fullchain.pem").write_bytes(leaf.certificate)
    (current / "privkey.pem").write_bytes(leaf.key)
    return copy


@pytest.fixture
def nginx_image(docker: Engine, pytestconfig: pytest.Config) -> str:
    """The image of the platform's own Nginx."""
    image = _nginx_image()
    require_image(pytestconfig, image, "inv images")
    return image


def _nginx(
    image: str, site: str, place: Path, *arguments: str, **given: str
) -> subprocess.CompletedProcess[str]:
    """Nginx on the literal files, with the mounts of the compose files."""
    folder = _copy_with_certificate(place)
    mounts = ["--volume", f"{folder}:/etc/nginx:ro"]
    environment = {"NGINX_ENTRYPOINT_QUIET_LOGS": "1"}
    if _MOUNTS[site]:
        mounts += ["--volume", f"{folder.parent / _MOUNTS[site]}:/etc/nginx/conf.d:ro"]
        script = "/docker-entrypoint.d/25-trusted-proxies.sh"
        mounts += ["--volume", f"{folder}/trusted-proxies:{script}:ro"]
        environment |= _production_environment() | given
    # Anonymous, so that they begin with the image's own owner and mode, as the named do.
    mounts += ["--volume", "/var/cache/nginx", "--volume", "/var/spool/nginx"]
    mounts += ["--tmpfs", "/tmp:mode=1777", "--tmpfs", "/run"]
    variables = [f"--env={name}={value}" for name, value in environment.items()]
    service = compose("compose.yaml")["services"]["nginx"]
    capabilities = [f"--cap-add={name}" for name in service["cap_add"]]
    confined = ["--network", "none", "--read-only", "--cap-drop=ALL", *capabilities]
    # Through the image's entrypoint, which fills in the template.
    program = [image, "nginx", *arguments]
    return run("docker", "run", "--rm", *confined, *mounts, *variables, *program)


@pytest.mark.parametrize("site", _MOUNTS)
def test_nginx_accepts_its_configuration(nginx_image: str, site: str, tmp_path: Path) -> None:
    done = _nginx(nginx_image, site, tmp_path, "-t")
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    "trusted",
    ["192.0.2.1", "192.0.2.0/24,2001:db8::/32", " 10.0.0.0/8, 172.16.0.0/12  ::1 ", "10.0.0.0/8,"],
)
def test_nginx_accepts_a_list_of_proxies(nginx_image: str, tmp_path: Path, trusted: str) -> None:
    done = _nginx(nginx_image, "odoo-prod", tmp_path, "-T", TRUSTED_PROXIES=trusted)
    assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr
    named = trusted.replace(",", " ").split()
    assert re.findall("set_real_ip_from (.*);", done.stdout) == named
    assert all(f"    {network} 1;" in done.stdout for network in named)


@pytest.mark.parametrize(
    "trusted", ["10.0.0.0/8 proxy.test", "0.0.0.0/0", "10.0.0.1 ::/0", "10.0.0.1; x", "*", "fe"]
)
def test_nginx_does_not_start_with_wrong_proxies(
    nginx_image: str, tmp_path: Path, trusted: str
) -> None:
    done = _nginx(nginx_image, "odoo-prod", tmp_path, "-t", TRUSTED_PROXIES=trusted)
    assert done.returncode != 0
    assert re.search("TRUSTED_PROXIES in .env: .* (is no address|would trust)", done.stderr)


@pytest.mark.parametrize("site", _MOUNTS)
def test_gixy_finds_no_hole_in_the_configuration(
    nginx_image: str, site: str, tmp_path: Path
) -> None:
    gixy = shutil.which("gixy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert gixy, "gixy-ng is in requirements/dev.in"
    dump = _nginx(nginx_image, site, tmp_path, "-T")
    assert dump.returncode == 0, dump.stderr
    assert "server_name" in dump.stdout
    if _MOUNTS[site]:
        assert "server_name odoo.test shop.test;" in dump.stdout
    (tmp_path / "nginx.conf").write_text(dump.stdout)
    done = run(gixy, str(tmp_path / "nginx.conf"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("proxy_set_header Host $public_host", "proxy_set_header Host $http_host"),
        ("return 301 https://$public_host$request_uri", "return 302 https://$public_host$uri"),
    ],
)
def test_gixy_would_find_a_hole(nginx_image: str, tmp_path: Path, old: str, new: str) -> None:
    gixy = shutil.which("gixy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert gixy, "gixy-ng is in requirements/dev.in"
    dump = _nginx(nginx_image, "odoo-prod", tmp_path, "-T").stdout
    assert old in dump
    (tmp_path / "nginx.conf").write_text(dump.replace(old, new))
    assert run(gixy, str(tmp_path / "nginx.conf")).returncode != 0


def test_no_health_check_takes_longer_than_a_start_waits_for() -> None:
    checks = [
        check
        for service in compose("compose.yaml")["services"].values()
        if (check := service.get("healthcheck")) and not check.get("disable")
    ]
    assert {check["interval"] for check in checks} == {"${HEALTH_INTERVAL:-5s}"}
    longest = max(int(check["timeout"].removesuffix("s")) for check in checks)
    assert longest == start_watch.HEALTH_TIMEOUT
