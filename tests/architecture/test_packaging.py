"""Packaging: one environment serves service and client, and it is the same one everywhere."""

import re
import tomllib

from tests.architecture.sources import ROOT

SERVICE = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CLIENT = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text("utf-8"))["project"]


def test_every_requirement_is_pinned() -> None:
    pinned = _names((ROOT / "constraints.txt").read_text("utf-8").splitlines())

    required = _names([*SERVICE["dependencies"], *SERVICE["optional-dependencies"]["dev"]])
    assert not required - pinned, "see CONTRIBUTING.md, Update a dependency"


def test_the_service_brings_what_the_client_may_need() -> None:
    extras = [requirement for extra in CLIENT["optional-dependencies"].values() for requirement in extra]

    assert not _names([*CLIENT["dependencies"], *extras]) - _names(SERVICE["dependencies"])


def test_both_offer_the_same_client_commands() -> None:
    assert CLIENT["scripts"].items() <= SERVICE["scripts"].items()


def _names(requirements: list[str]) -> set[str]:
    names = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", name.group().lower()) for name in names if name}
