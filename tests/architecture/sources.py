"""The files of the repository, for tests of the code itself."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = "clients/python/placewright/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file of text.

    Attributes:
        path: from the root of the repository.
    """

    path: str
    text: str

    def tree(self) -> ast.Module:
        return _parsed(self)

    def at(self, line_number: int) -> str:
        """A place as an editor understands it."""
        return f"{self.path}:{line_number}"


@cache
def _parsed(source: Source) -> ast.Module:
    return ast.parse(source.text, source.path)


@cache
def texts() -> tuple[Source, ...]:
    """Every file of text that is committed or would be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    found = []
    for path in sorted(set(listed.stdout.split("\0")) - {""}):
        try:
            found.append(Source(path=path, text=(ROOT / path).read_text("utf-8")))
        except (UnicodeDecodeError, FileNotFoundError):  # a picture; a file just removed
            continue
    return tuple(found)


def python_sources(*folders: str) -> list[Source]:
    """Hand-written Python below the folders given, or all of it."""
    return [
        source
        for source in texts()
        if source.path.endswith(".py")
        and not source.path.startswith(GENERATED)
        and (not folders or source.path.startswith(folders))
    ]


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function, methods and inner ones too."""
    for node in ast.walk(source.tree()):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
