"""Documents: what they point to is there."""

import re
from pathlib import PurePosixPath

import pytest

from tests.architecture.sources import ROOT, Source, texts

DOCUMENTS = [source for source in texts() if source.path.endswith(".md")]
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
FOLDERS = ("scheduler", "clients", "proto", "docs", "tests", "deploy", ".ci")
PATH = re.compile(rf"`((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]+)`")
COMMAND = re.compile(r"(?:^    |`|&& )make ([a-z-]+)", re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.path)
def test_links_lead_somewhere(document: Source) -> None:
    folder = ROOT / PurePosixPath(document.path).parent

    assert not [link for link in LINK.findall(document.text) if not (folder / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.path)
def test_paths_exist(document: Source) -> None:
    assert not [path for path in PATH.findall(document.text) if not any(ROOT.glob(path))]


def test_every_make_command_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    named = {command for document in DOCUMENTS for command in COMMAND.findall(document.text)}
    assert named <= targets


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs/decisions"
    index = set(LINK.findall((folder / "README.md").read_text("utf-8")))

    assert {page.name for page in folder.glob("*.md")} - {"README.md"} == index
