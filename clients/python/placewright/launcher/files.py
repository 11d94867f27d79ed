"""Files that survive a crash: written whole, and on the disk when the call returns."""

import os
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Write `content` so that `path` has all of it or does not change, even when the machine loses power."""
    temporary = path.with_name(f".{path.name}.new")
    _write_synced(temporary, content, os.O_TRUNC)
    os.replace(temporary, path)
    sync_directory(path.parent)


def create_durably(path: Path) -> None:
    """Create an empty file.

    Raises:
        FileExistsError: it was there.
    """
    _write_synced(path, b"", os.O_EXCL)
    sync_directory(path.parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` so that readers see the old or the new file; it need not survive the machine."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def make_directory_durably(path: Path) -> None:
    """Create a directory whose parent exists; it may be there already."""
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Bring the entries of a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, content: bytes, flag: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
