"""What `import placewright` promises."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import placewright
from placewright import alternative, errors, job, pools, reasons, settings, strings, views, words
from placewright.words import Word


def test_every_public_name_is_there_and_no_name_twice() -> None:
    assert all(getattr(placewright, name) is not None for name in placewright.__all__)
    assert len(set(placewright.__all__)) == len(placewright.__all__)
    assert set(placewright.__all__) <= set(dir(placewright))


def test_what_type_checkers_see_is_what_is_exported() -> None:
    tree = ast.parse(Path(placewright.__file__).read_text())
    seen = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("placewright.")
        for alias in node.names
    }

    assert seen == set(placewright.__all__)


def test_every_error_word_and_view_is_exported() -> None:
    hidden = {"ErrorFacts", "Word"}  # parts of others
    made_here = {
        name
        for module in (alternative, errors, job, pools, reasons, settings, strings, views, words)
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }

    assert made_here - set(placewright.__all__) - hidden == {"Settings", "Size"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Jobs'"):
        placewright.Jobs  # noqa: B018  (the access is the act)


def test_words_print_as_their_value() -> None:
    kinds = [value for value in vars(words).values() if isinstance(value, type) and issubclass(value, Word)]

    assert all(str(word) == f"{word}" == word.value == word for kind in kinds for word in kind)


def test_grpc_is_not_imported_before_it_is_used() -> None:
    heavy = ["grpc", "google.protobuf", "yaml", "rich"]
    program = f"import sys, placewright.cli.app; print([name for name in {heavy} if name in sys.modules])"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"
