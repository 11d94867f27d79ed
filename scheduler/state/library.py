"""The function library, named by its content: processes of different versions each have their own."""

from hashlib import sha256
from importlib.resources import files

SOURCE_PREFIX = "placewright_v1"
NAME_HASH_LENGTH = 12


def library_of(source: str) -> tuple[str, str]:
    """Name and text of the library that a source makes; another text always has another name."""
    name = f"{SOURCE_PREFIX}_{sha256(source.encode()).hexdigest()[:NAME_HASH_LENGTH]}"
    return name, source.replace(SOURCE_PREFIX, name)


LIBRARY_NAME, LIBRARY = library_of((files("scheduler.state") / "functions" / "placewright.lua").read_text())
FUNCTION_PREFIX = f"{LIBRARY_NAME}_"
