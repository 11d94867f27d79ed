"""Files that commands read."""

from __future__ import annotations

import sys
from pathlib import Path

from placewright.cli import exits


def text_of(file: str) -> str:
    """The text of a file; of stdin for "-"."""
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        exits.refuse(f"cannot read {file}: {error}")
