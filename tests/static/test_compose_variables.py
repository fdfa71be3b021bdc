"""Variables and images of the compose files, and .env.example."""

import re

from scripts.core import env_example, sizes
from tests.static.support.project import (
    COMPOSE_FILES,
    DEBUG_FILE,
    EXTERNAL_FILES,
    EXTERNAL_REDIS_FILES,
    REPLICAS_FILE,
    ROOT,
    SWARM_FILE,
    compose,
    documented,
    variables,
)

# Read by `inv` and by Compose itself, but written in no compose file.
_NOT_INTERPOLATED = {
    "COMPOSE_PROJECT_NAME",
    "PLATFORM_ENV",
    "IMAGE_SOURCE",
    "ODOO_PACKAGE",
    "ACME_SERVER",
    "ACME_EMAIL",
    "BACKUP_KEEP",
    "BACKUP_NOTIFY",
    "HEALTH_NOTIFY",
    "HEALTH_NOTIFY_REPEAT",
    "HEALTH_PING",
    "SUPABASE_PROJECT_REF",
    "SUPABASE_CLOUD_HOST",
}
# Empty in .env.example: what Compose mounts instead is no value to write there.
_UNSET = {"ACME_CA_FILE", "SMTP_CA_FILE"}


def test_every_variable_is_in_env_example_with_its_development_default() -> None:
    shown = documented()
    for name, defaults in variables((ROOT / "compose.yaml").read_text()).items():
        assert name in shown, f"${{{name}}} is not in .env.example"
        assert defaults == {shown[name]}, f"compose.yaml and .env.example differ on {name}"


def test_env_example_has_comments_and_variables_and_nothing_else() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    names = [line.partition("=")[0] for line in lines if line and not re.match(r"# |#$", line)]
    assert [name.removeprefix("#") for name in names] == list(env_example.variables())
    assert documented() == env_example.variables()


def test_the_debugger_adds_its_port_and_nothing_else() -> None:
    found = variables((ROOT / DEBUG_FILE).read_text())
    assert found == {"ODOO_DEBUG_PORT": {documented()["ODOO_DEBUG_PORT"]}}


def test_production_invents_no_variable_and_differs_only_where_it_means_to() -> None:
    shown = documented()
    for name, defaults in variables((ROOT / "compose.prod.yaml").read_text()).items():
        assert name in shown, f"${{{name}}} is not in .env.example"
        if name not in {"NGINX_BIND", "BACKUP_CONTINUOUS", *_UNSET} and not name.endswith(
            "_MEMORY"
        ):
            assert defaults == {shown[name]}, f"compose.prod.yaml has its own {name}"


def test_every_documented_variable_is_read_by_somebody() -> None:
    composed = (*COMPOSE_FILES, REPLICAS_FILE, *EXTERNAL_FILES, *EXTERNAL_REDIS_FILES)
    texts = [(ROOT / name).read_text() for name in (*composed, SWARM_FILE, DEBUG_FILE)]
    read = variables("".join(texts))
    unused = set(documented()) - set(read) - _NOT_INTERPOLATED
    assert not unused
    files = ("settings.py", "alarm_settings.py")
    settings = "".join((ROOT / "scripts" / "core" / name).read_text() for name in files)
    for name in _NOT_INTERPOLATED:
        assert f'"{name}"' in settings


def test_every_variable_has_a_default_so_that_no_env_file_is_needed() -> None:
    for file in COMPOSE_FILES:
        found = variables((ROOT / file).read_text())
        # Without a name the engine makes one for every container: nobody else has it.
        # Without a relay Odoo sends as it does by itself.
        # Without a size that of odoo.conf holds.
        meant = {"BACKUP_HOST", "TRUSTED_PROXIES", "SMTP_HOST", "SMTP_PORT", "SMTP_USER",
                 "SMTP_FROM", *sizes.NAMES}  # fmt: skip
        empty = {name for name, defaults in found.items() if "" in defaults} - meant
        assert not empty, file


def test_image_defaults_are_pinned_to_a_version() -> None:
    images = {name: value for name, value in documented().items() if name.endswith("_IMAGE")}
    assert len(images) == 16
    for name, image in images.items():
        tag = image.rpartition(":")[2]
        ours = name == "BACKUP_IMAGE"  # bears the major of PostgreSQL, all that matters
        assert ours or re.match(r"v?\d+\.\d+", tag), f"{name}={image} names no version"
        assert "latest" not in image


def test_every_image_can_be_chosen_and_the_dockerfile_has_the_same_default() -> None:
    for file in COMPOSE_FILES:
        for name, service in compose(file)["services"].items():
            assert (service or {}).get("image", "${").startswith("${"), name
    dockerfile = (ROOT / "odoo" / "Dockerfile").read_text()
    assert f"ARG ODOO_BASE_IMAGE={documented()['ODOO_BASE_IMAGE']}\n" in dockerfile
