"""Entry point of `placewright`."""

from __future__ import annotations

import sys

EXTRA = frozenset({"typer", "rich", "yaml"})


def main() -> None:
    """Run the command line, or say what is missing."""
    try:
        from placewright.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRA:
            raise
        sys.exit(f"placewright: {error.name} is missing; run: pip install 'placewright[cli]'")
    app()


if __name__ == "__main__":
    main()
