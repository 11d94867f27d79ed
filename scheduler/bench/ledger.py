"""What a benchmark's launchers really did: a file to which each appends, and what must be true of it."""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

START, END = "start", "end"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a task was started, or a run ended (of which the task is 0)."""

    what: str
    run_id: str
    task: int
    at_ns: int

    @property
    def replica_id(self) -> str:
        return self.run_id.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The file; times are on CLOCK_BOOTTIME."""

    path: Path

    def note_start(self, run_id: str, *, tasks: int, at_ns: int) -> None:
        self._append("".join(f"{START} {run_id} {task} {at_ns}\n" for task in range(tasks)))

    def note_end(self, run_id: str, *, at_ns: int) -> None:
        self._append(f"{END} {run_id} 0 {at_ns}\n")

    def _append(self, lines: str) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, lines.encode())
        finally:
            os.close(file)

    def entries(self) -> list[Entry]:
        if not self.path.exists():
            return []
        words = (line.split() for line in self.path.read_text().splitlines())
        return [Entry(what, run_id, int(task), int(at_ns)) for what, run_id, task, at_ns in words]


def started_twice(entries: Sequence[Entry]) -> list[str]:
    """Runs of which a task was started more than once."""
    starts = Counter((entry.run_id, entry.task) for entry in entries if entry.what == START)
    return sorted({run_id for (run_id, _), times in starts.items() if times > 1})


def alive_together(entries: Sequence[Entry]) -> list[str]:
    """Replicas of which a run was started before an earlier one had ended."""
    ends = {entry.run_id: entry.at_ns for entry in entries if entry.what == END}
    starts: dict[str, dict[str, int]] = defaultdict(dict)
    for entry in entries:
        if entry.what == START:
            starts[entry.replica_id].setdefault(entry.run_id, entry.at_ns)
    found = set[str]()
    for replica_id, runs in starts.items():
        in_order = sorted(runs.items(), key=lambda item: item[1])
        for (earlier, _), (_, started_at_ns) in pairwise(in_order):
            if earlier not in ends or ends[earlier] > started_at_ns:
                found.add(replica_id)
    return sorted(found)


def partly_started(entries: Sequence[Entry], tasks_of_replica: Mapping[str, int]) -> list[str]:
    """Runs with another number of tasks than their gang has, whose replicas are known."""
    tasks: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        if entry.what == START:
            tasks[entry.run_id].add(entry.task)
    return sorted(
        run_id
        for run_id, started in tasks.items()
        if tasks_of_replica.get(run_id.rpartition("-")[0], len(started)) != len(started)
    )
