"""Reports as PDF, made by wkhtmltopdf beside an Odoo that leaves files to Nginx."""

import json
from pathlib import Path

import pytest

from tests.e2e.support.production import Production

# What Odoo's own library says of the PDF on standard input.
_READ = """
import io, json, sys
from pypdf import PdfReader
pages = PdfReader(io.BytesIO(sys.stdin.buffer.read())).pages
fonts = [f.get_object()["/BaseFont"] for f in pages[0]["/Resources"]["/Font"].values()]
print(json.dumps({"pages": len(pages), "fonts": fonts, "text": pages[-1].extract_text()}))
"""


def test_a_report_has_styles_and_numbered_pages(
    production: Production, admin: str, tmp_path: Path
) -> None:
    if production.execute("odoo", "dpkg", "--print-architecture").strip() != "amd64":
        pytest.skip("there is no wkhtmltopdf for this machine")
    module = production.sql("SELECT id FROM ir_module_module WHERE name = 'web'")
    path = f"/report/pdf/base.report_irmodulereference/{module}"
    answer = production.ask(path, headers={"Cookie": admin})
    assert answer.status == 200 and answer.body.startswith(b"%PDF"), answer.text[:500]
    (tmp_path / "report.pdf").write_bytes(answer.body)
    program = f"docker exec -i {production.project}-odoo-1 python3 -c '{_READ}'"
    done = production.run("sh", "-c", f"{program} < {tmp_path}/report.pdf")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Lato comes by the style sheets of Odoo, and the numbers with the header.
    assert any("Lato" in font for font in found["fonts"]), found["fonts"]
    assert found["pages"] > 1 and f"{found['pages']}" in found["text"].split()
    asked = [line for line in production.logs("odoo").splitlines() if "report_assets" in line]
    assert any("127.0.0.1 - - " in line and '.css HTTP/1.1" 200' in line for line in asked)
