"""The answers of containers, and what is said of one that could not be started."""

import pytest

from scripts.core.errors import OpsError
from scripts.core.process import Completed
from scripts.stack import oneoff
from toolbox.contract.backups import OdooInfo

_CHANGED = """ Network ipai-platform_backend Creating
Error response from daemon: error while removing network: network ipai-platform_backend id \
1924db74 has active endpoints
"""


def test_networks_that_have_changed_under_a_running_platform_are_named_with_the_way_on() -> None:
    error = oneoff.failure(Completed((), 1, "", _CHANGED), "backups", "BACKUP_MEMORY")
    assert "other networks" in error.message and error.hint == "Run: inv up"


def test_the_reason_of_the_program_itself_comes_first() -> None:
    said = Completed((), 1, "", "error: no room has active endpoints\nhint: make some\n")
    error = oneoff.failure(said, "backups", "BACKUP_MEMORY")
    assert (error.message, error.hint) == ("no room has active endpoints", "make some")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"odoo": "18.0"}'])
def test_an_answer_of_another_form_is_an_error_with_a_way_out(text: str) -> None:
    with pytest.raises(OpsError, match="cannot be read") as caught:
        oneoff.answer(OdooInfo, text)
    assert "git status" in caught.value.hint
    assert oneoff.answer(OdooInfo, '{"odoo": "18.0", "modules": ["base"]}').modules == ("base",)
