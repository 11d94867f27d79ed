"""What the launcher must not forget: durable notes of the runs it claims, starts and reports.

    launcher.json            whose notes these are and whether they are complete
    lease                    see `placewright.launcher.lease`
    runs/<run id>/note.json  the run is going to be claimed
    runs/<run id>/facts.bin  a RunFacts message, for a service that has lost the run
    runs/<run id>/claim.json it has been claimed: its token and facts, never its payload
    runs/<run id>/started    created before anything of it is started; a run with it is never started again
    runs/<run id>/end.json   how it ended; stays until the service has released the run

Functions here block on the disk; the keeper calls them in a thread.
"""

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from placewright.launcher.backend import End, end_reason_name, end_reason_named
from placewright.launcher.files import (
    create_durably,
    make_directory_durably,
    sync_directory,
    write_durably,
)
from placewright.v1.launcher_service_pb2 import RunFacts

RUN_ID_PATTERN = re.compile(r"[a-z0-9-]{1,63}")
REMOVED_PREFIX = ".removed-"
LOCK_TRIES = 40
LOCK_RETRY_S = 0.05


class StateDirectoryInUse(Exception):
    """Another launcher process has the state directory, or another launcher id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRun:
    """The notes of one run.

    Attributes:
        run_token: 0 when it is not in the notes.
        is_claimed: the service said so.
    """

    run_id: str
    pool_id: str
    run_token: int
    is_claimed: bool
    is_started: bool
    end: End | None
    facts: RunFacts | None


class Notes:
    """The state directory of one launcher, locked for this process.

    Attributes:
        is_complete: a run that is not in the notes was surely never started by this launcher. A new
            directory is complete once the service has shown no claimed run that it does not contain.
    """

    def __init__(self, state_dir: Path, *, launcher_id: str) -> None:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._state_dir = state_dir
        self._runs_dir = state_dir / "runs"
        self._launcher_id = launcher_id
        self._lock = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._take_lock()
        make_directory_durably(self._runs_dir)
        self.is_complete = self._read_launcher()

    def close(self) -> None:
        """Give the directory to another process."""
        os.close(self._lock)

    def declare_complete(self) -> None:
        """Note that no run is missing from the notes."""
        self.is_complete = True
        self._write_launcher()

    def note(self, run_id: str, *, pool_id: str) -> None:
        """Note that the run is going to be claimed."""
        directory = self._directory(run_id)
        make_directory_durably(directory)
        write_durably(directory / "note.json", _encoded({"pool_id": pool_id}))

    def note_claim(self, run_id: str, *, run_token: int, facts: RunFacts) -> None:
        """Note that the run has been claimed."""
        write_durably(self._directory(run_id) / "facts.bin", facts.SerializeToString())
        content = _encoded(
            {
                "run_token": run_token,
                "job_id": facts.job_id,
                "job_name": facts.job_name,
                "replica_index": facts.replica_index,
                "run_number": facts.run_number,
            }
        )
        write_durably(self._directory(run_id) / "claim.json", content)

    def note_start(self, run_id: str) -> None:
        """Note that the run is going to be started.

        Raises:
            FileExistsError: that was noted before.
        """
        create_durably(self._directory(run_id) / "started")

    def note_end(self, run_id: str, *, run_token: int, end: End) -> None:
        """Note how the run ended, also of a run that was not noted before."""
        directory = self._directory(run_id)
        make_directory_durably(directory)
        content = {
            "run_token": run_token,
            "reason": end_reason_name(end.reason),
            "exit_code": end.exit_code,
            "message": end.message,
        }
        write_durably(directory / "end.json", _encoded(content))

    def remove(self, run_id: str) -> None:
        """Forget the run at once, also if the process dies in the middle."""
        removed = self._runs_dir / f"{REMOVED_PREFIX}{run_id}"
        shutil.rmtree(removed, ignore_errors=True)
        try:
            os.rename(self._directory(run_id), removed)
        except FileNotFoundError:
            return
        sync_directory(self._runs_dir)
        shutil.rmtree(removed, ignore_errors=True)

    def saved_runs(self) -> list[SavedRun]:
        """Every run in the notes, by id."""
        runs = []
        for directory in sorted(self._runs_dir.iterdir()):
            if directory.name.startswith(REMOVED_PREFIX):
                shutil.rmtree(directory, ignore_errors=True)
            else:
                runs.append(_saved_run(directory))
        return runs

    def _directory(self, run_id: str) -> Path:
        if RUN_ID_PATTERN.fullmatch(run_id) is None:
            raise ValueError(f"run_id must match {RUN_ID_PATTERN.pattern}, got {run_id!r}")
        return self._runs_dir / run_id

    def _take_lock(self) -> None:
        """A child that a killed launcher was just starting holds the lock until it executes: wait a bit."""
        for _ in range(LOCK_TRIES):
            if self._is_lock_taken():
                return
            time.sleep(LOCK_RETRY_S)
        os.close(self._lock)
        raise StateDirectoryInUse(f"another launcher runs with state dir {self._state_dir}")

    def _is_lock_taken(self) -> bool:
        """Take the lock, if it is free."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _read_launcher(self) -> bool:
        content = _decoded(self._state_dir / "launcher.json")
        if not content:
            self.is_complete = False
            self._write_launcher()
        elif content["launcher_id"] != self._launcher_id:
            os.close(self._lock)
            raise StateDirectoryInUse(
                f"state dir {self._state_dir} belongs to launcher {content['launcher_id']},"
                f" got {self._launcher_id}"
            )
        return bool(content.get("is_complete"))

    def _write_launcher(self) -> None:
        content = {"launcher_id": self._launcher_id, "is_complete": self.is_complete}
        write_durably(self._state_dir / "launcher.json", _encoded(content))


def _saved_run(directory: Path) -> SavedRun:
    note = _decoded(directory / "note.json")
    claim = _decoded(directory / "claim.json")
    end = _decoded(directory / "end.json")
    run_token = claim.get("run_token") or end.get("run_token") or 0
    is_started = (directory / "started").exists()
    return SavedRun(
        run_id=directory.name,
        pool_id=str(note.get("pool_id", "")),
        run_token=int(str(run_token)),
        is_claimed=bool(claim) or is_started,
        is_started=is_started,
        end=_end(end) if end else None,
        facts=_facts(directory / "facts.bin") if claim else None,
    )


def _facts(path: Path) -> RunFacts | None:
    """None in notes of older launchers, and where the file was damaged: then the run cannot be adopted."""
    try:
        return RunFacts.FromString(path.read_bytes())
    except (FileNotFoundError, DecodeError):
        return None


def _end(content: dict[str, object]) -> End:
    exit_code = content.get("exit_code")
    return End(
        reason=end_reason_named(str(content["reason"])),
        exit_code=None if exit_code is None else int(str(exit_code)),
        message=str(content.get("message", "")),
    )


def _encoded(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content) + "\n").encode()


def _decoded(path: Path) -> dict[str, object]:
    """The content of a JSON file; empty when it is not there."""
    try:
        content: dict[str, object] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content
