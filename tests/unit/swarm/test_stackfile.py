"""What of the merged files Docker's own client is given."""

from pathlib import Path
from typing import Any

from scripts.swarm import stackfile


def _merged(folder: Path) -> dict[str, Any]:
    def secret(name: str) -> dict[str, str]:
        return {"name": f"erp_{name}_1", "file": str(folder / "secrets" / f"{name}.txt")}

    return {
        "name": "erp",
        "services": {
            "odoo": {
                "image": "localhost/erp/swarm-odoo:1",
                "build": {"context": "."},
                "entrypoint": None,
                "command": ["odoo", "--db-filter=^odoo$$"],
                "deploy": {"replicas": 2},
                "networks": {"edge": None},
                "secrets": [{"source": "db_password", "mode": "0400"}],
            },
            "nginx": {
                "image": "nginx:1",
                "ports": [{"target": 80, "published": "8080"}],
                "volumes": [{"type": "tmpfs", "tmpfs": {"size": "1024"}}],
            },
            "backup": {"image": "backup:1", "secrets": []},
            "odoo_init": {
                "image": "localhost/erp/swarm-odoo:1",
                "secrets": [{"source": "db_password"}, {"source": "optional"}],
            },
        },
        "secrets": {"db_password": secret("db_password"), "optional": secret("optional")},
    }


def _convert(folder: Path, **options: bool) -> dict[str, Any]:
    (folder / "secrets").mkdir(exist_ok=True)
    secret = folder / "secrets" / "db_password.txt"
    if not secret.exists():
        secret.write_text("first")
    images = {"localhost/erp/swarm-odoo:1": "localhost/erp/swarm-odoo:abc"}
    return stackfile.convert(_merged(folder), images, folder, **options)


def test_what_dockers_client_refuses_is_changed_and_nothing_else(tmp_path: Path) -> None:
    found = _convert(tmp_path)
    odoo, nginx = found["services"]["odoo"], found["services"]["nginx"]
    assert "name" not in found and not {"build", "entrypoint"} & set(odoo)
    assert odoo["command"] == ["odoo", "--db-filter=^odoo$$"] and odoo["networks"] == {"edge": None}
    assert odoo["secrets"] == [{"source": "db_password", "mode": 0o400}]
    assert nginx["ports"] == [{"target": 80, "published": 8080}]
    assert nginx["volumes"][0]["tmpfs"] == {"size": 1024}
    assert (
        odoo["image"] == found["services"]["odoo_init"]["image"] == "localhost/erp/swarm-odoo:abc"
    )
    assert nginx["image"] == "nginx:1"


def test_a_secret_is_called_by_its_content(tmp_path: Path) -> None:
    first = _convert(tmp_path)["secrets"]["db_password"]["name"]
    assert first.startswith("erp_db_password_") and len(first) <= 64
    assert _convert(tmp_path)["secrets"]["db_password"]["name"] == first
    (tmp_path / "secrets" / "db_password.txt").write_text("second")
    assert _convert(tmp_path)["secrets"]["db_password"]["name"] != first


def test_a_secret_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    found = _convert(tmp_path)
    assert "optional" not in found["secrets"]
    assert [one["source"] for one in found["services"]["odoo_init"]["secrets"]] == ["db_password"]


def test_credentials_of_the_repository_become_secrets_of_the_backups(tmp_path: Path) -> None:
    folder = tmp_path / "secrets" / "backup"
    folder.mkdir(parents=True)
    (folder / "s3.env").write_text("KEY=x")
    (folder / "empty").touch()
    found = _convert(tmp_path)
    (given,) = found["services"]["backup"]["secrets"]
    assert given["target"] == "/run/backup-credentials/s3.env" and given["mode"] == 0o400
    assert found["secrets"][given["source"]]["file"] == str(folder / "s3.env")
    assert "credentials_0" not in str(found["services"]["odoo"])


def test_odoo_can_be_left_for_later(tmp_path: Path) -> None:
    assert set(_convert(tmp_path, odoo=False)["services"]) == {"nginx", "backup", "odoo_init"}
