"""What Nginx's cache and X-Accel gain, and what Nginx costs, as ratios of one run.

Run it beside a healthy production (`inv up --prod`):
    .venv/bin/python benchmarks/nginx.py [ROUNDS]
Beside the platform's containers it starts, and removes, a second Odoo without
x_sendfile and two Nginx: the production site as it stands (without limits), and the
same without cache in front of that second Odoo. All load comes from a container in
the platform's own network; rivals take turns, so that a noisy machine hits both.
"""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.core.settings import Settings  # noqa: E402
from scripts.stack import debian, image_names  # noqa: E402

COMPOSE = ["docker", "compose", "-f", "compose.yaml", "-f", "compose.prod.yaml"]
LOADER = "localhost/ipai/bench-load:1"
SETTINGS = Settings.load(prod=True)
NETWORK = f"{SETTINGS.project}_edge"
STATIC = "/web/static/src/libs/fontawesome/css/font-awesome.css"
MAKE_ATTACHMENT = """
import base64, os
data = base64.b64encode(os.urandom(2 * 1024 * 1024))
made = env["ir.attachment"].create({"name": "bench.bin", "datas": data, "public": True})
env.cr.commit()
print(f"attachment={made.id}")
"""


def run(*argv: str, stdin: str = "") -> str:
    """Standard output of a command that has to succeed."""
    done = subprocess.run(argv, cwd=ROOT, input=stdin, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{' '.join(argv[:8])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def odoo_shell(program: str) -> str:
    """What `program` prints in Odoo's Python shell."""
    shell = ["odoo", "shell", "-d", SETTINGS.database, "--no-http", "--log-level=error"]
    return run(*COMPOSE, "exec", "-T", "odoo", *shell, stdin=program)


@contextmanager
def container(name: str, *options: str) -> Iterator[None]:
    """A container of our own while the block runs."""
    run("docker", "run", "--detach", "--name", name, *options)
    try:
        yield
    finally:
        run("docker", "rm", "--force", "--volumes", name)


@contextmanager
def second_odoo() -> Iterator[None]:
    """An Odoo that sends attachments itself."""
    name = f"{SETTINGS.project}-bench-odoo"
    plain = ["odoo", f"--database={SETTINGS.database}", f"--db-filter=^{SETTINGS.database}$"]
    run(*COMPOSE, "run", "--detach", "--no-deps", "--name", name, "odoo", *plain)
    try:
        yield
    finally:
        run("docker", "rm", "--force", "--volumes", name)


@contextmanager
def nginx(folder: Path, domain: str, changes: dict[str, str]) -> Iterator[None]:
    """The production site without limits, as `domain`, with `changes` to its files."""
    site = folder / domain
    shutil.copytree(ROOT / "nginx", site, symlinks=True)
    for path in site.rglob("*.conf"):
        text = path.read_text().replace("default 0;\n    # 192", "default 1;\n    # 192")
        for old, new in changes.items():
            text = text.replace(old, new)
        path.write_text(text)
    env = {
        "NGINX_ENVSUBST_TEMPLATE_DIR": "/etc/nginx/conf.d",
        "NGINX_ENVSUBST_OUTPUT_DIR": "/run",
        "NGINX_ENVSUBST_FILTER": "^ODOO_",
        "ODOO_DOMAIN": domain,
        "ODOO_PUBLIC_PORT": "",
        "ODOO_ALIASES": "redirect",
        "ODOO_WEBSOCKET_HOST": "odoo",
    }
    with container(
        f"{SETTINGS.project}-{domain}",
        "--network", NETWORK, "--network-alias", domain,
        "--volume", f"{site}:/etc/nginx:ro",
        "--volume", f"{site}/conf.d/sites:/etc/nginx/conf.d:ro",
        "--volume", f"{site}/trusted-proxies:/docker-entrypoint.d/25-trusted-proxies.sh:ro",
        "--volume", f"{SETTINGS.project}_odoo_data:/var/lib/odoo:ro",
        *[part for item in env.items() for part in ("--env", "=".join(item))],
        image_names.effective(SETTINGS)["NGINX_IMAGE"],
    ):  # fmt: skip
        yield


def load(url: str, requests: int, clients: int) -> tuple[float, float]:
    """Requests a second, and the mean seconds of one; every answer has to be a 2xx."""
    options = ["--h1", "-n", str(requests), "-c", str(clients)]
    out = run("docker", "run", "--rm", "--network", NETWORK, LOADER, *options, url)
    passed = re.search(r"status codes: (\d+) 2xx", out)
    if not passed or int(passed[1]) != requests:
        sys.exit(f"{url} was not always answered:\n{out}")
    rate = re.search(r"finished in [^,]+, ([\d.]+) req/s", out)
    mean = re.search(r"time for request: +\S+ +\S+ +([\d.]+)(us|ms|s)", out)
    assert rate and mean, out
    return float(rate[1]), float(mean[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[mean[2]]


def await_answers(url: str) -> None:
    """Come back when `url` is answered well."""
    for _ in range(60):
        probe = ["docker", "run", "--rm", "--network", NETWORK, LOADER, "--h1", "-n", "1", url]
        if "1 2xx" in subprocess.run(probe, text=True, capture_output=True).stdout:
            return
        time.sleep(1)
    sys.exit(f"{url} does not answer")


def duel(title: str, unit: str, rivals: dict[str, tuple[str, int, int]], which: int) -> None:
    """Let the rivals take turns, and print medians and the median ratio first / second."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, (url, requests, clients) in rivals.items():
            taken[name].append(load(url, requests, clients)[which])
    print(f"\n{title}")
    for name, values in taken.items():
        scale = 1000 if unit == "ms" else 1
        print(f"  {name:34} {statistics.median(values) * scale:10.2f} {unit}")
    first, second = taken.values()
    ratios = [a / b for a, b in zip(first, second, strict=True)]
    print(f"  {'ratio (median of pairs)':34} {statistics.median(ratios):10.2f}")


def build_loader() -> None:
    """Have the image of what asks."""
    ours = debian.is_ours(image_names.effective(SETTINGS)["NGINX_IMAGE"])
    base = ["--build-arg", f"BASE_IMAGE={debian.BASE}"] if ours else []
    run("docker", "build", "--quiet", "--tag", LOADER, *base, str(ROOT / "benchmarks" / "load"))


def main() -> None:
    """Set up the rivals, compare, and leave nothing behind."""
    build_loader()
    attachment = re.search(r"attachment=(\d+)", odoo_shell(MAKE_ATTACHMENT))
    assert attachment
    file = f"/web/content/{attachment[1]}"
    plain = {
        "proxy_cache odoo_static;": "proxy_cache off;",
        "http://odoo:8069": f"http://{SETTINGS.project}-bench-odoo:8069",
    }
    state = ROOT / ".state"
    state.mkdir(exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory(dir=state) as scratch,
            second_odoo(),
            nginx(Path(scratch), "ours.bench", {}),
            nginx(Path(scratch), "plain.bench", plain),
        ):
            for host in ("ours.bench", "plain.bench"):
                await_answers(f"https://{host}{STATIC}")
                await_answers(f"https://{host}{file}")
            duel("A static file, 32 clients", "req/s", {
                "kept by Nginx": (f"https://ours.bench{STATIC}", 20000, 32),
                "fetched from Odoo each time": (f"https://plain.bench{STATIC}", 600, 32),
            }, 0)  # fmt: skip
            duel("An attachment of 2 MB, 8 clients", "req/s", {
                "sent by Nginx (X-Accel)": (f"https://ours.bench{file}", 300, 8),
                "sent by Odoo through Nginx": (f"https://plain.bench{file}", 300, 8),
            }, 0)  # fmt: skip
            duel("The login page, one client", "ms", {
                "through Nginx, HTTPS": ("https://ours.bench/web/login", 200, 1),
                "Odoo directly, HTTP": ("http://odoo:8069/web/login", 200, 1),
            }, 1)  # fmt: skip
    finally:
        odoo_shell(f"env['ir.attachment'].browse({attachment[1]}).unlink(); env.cr.commit()\n")


if __name__ == "__main__":
    main()
