"""Tables that must have a row for everything: errors, roles, reference pages."""

import pytest

from docs.reference.generate import PAGES, settings_page
from scheduler.api.auth import VERBS
from scheduler.api.errors import STATUSES
from scheduler.model import errors
from tests.architecture import contract
from tests.architecture.sources import ROOT


def test_every_error_has_a_status() -> None:
    declared = {
        error
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.PlacewrightError)
    }

    assert set(STATUSES) == declared - {errors.PlacewrightError, errors.LimitReached}


def test_every_rpc_has_its_roles() -> None:
    assert set(VERBS) == contract.rpcs()


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    page = ROOT / "docs/reference" / name

    assert page.read_text("utf-8") == PAGES[name](), "run: make docs"


def test_every_setting_says_what_it_is() -> None:
    assert not [row for row in settings_page().splitlines() if row.endswith("|  |")]
