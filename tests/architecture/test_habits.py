"""Habits: suppressions with their reasons, no loose ends, nothing of one machine."""

import re

from tests.architecture.sources import GENERATED, Source, python_sources, texts

SUPPRESSION = re.compile(r"#\s*(?:type:\s*ignore|noqa)\b")
EXPLAINED = re.compile(
    r"#\s*(?:type:\s*ignore\[[\w, -]+\]|noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)"  # with its code
    r"[\s\W]*(?!type:|noqa)\w.{4,}"  # and why
)
LOOSE_END = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b(?!\(#\d+\))")
HOME = re.compile(r"(?<![\w.~-])/(?:home|Users|root)/[A-Za-z0-9_.-]")
REGISTRY = re.compile(r"--(?:extra-)?index-url|--find-links")


def test_every_suppression_has_its_code_and_its_reason() -> None:
    unexplained = [
        place
        for source in python_sources()
        if source.path != "tests/architecture/test_habits.py"
        for place in _lines_with(SUPPRESSION, source)
        if not EXPLAINED.search(place)
    ]

    assert not unexplained, "\n".join(unexplained)


def test_no_loose_end_without_the_number_of_its_issue() -> None:
    loose = [place for source in texts() for place in _lines_with(LOOSE_END, source)]

    assert not loose, "\n".join(loose)


def test_nothing_names_a_home_directory() -> None:
    homes = [place for source in texts() for place in _lines_with(HOME, source)]

    assert not homes, "\n".join(homes)


def test_installs_name_no_registry() -> None:
    hosts = [
        place
        for source in texts()
        if not source.path.startswith(("tests/architecture/", GENERATED))
        for place in _lines_with(REGISTRY, source)
    ]

    assert not hosts, "\n".join(hosts)


def _lines_with(pattern: re.Pattern[str], source: Source) -> list[str]:
    return [
        f"{source.at(number)}: {line.strip()[:200]}"
        for number, line in enumerate(source.text.splitlines(), start=1)
        if pattern.search(line)
    ]
