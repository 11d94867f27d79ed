"""What tasks really did: a file to which each appends, and locks that say who is alive."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

TASK = """
line="$PLACEWRIGHT_RUN_ID $PLACEWRIGHT_TASK_INDEX $$"
exec 9>>"$LOCKS/$PLACEWRIGHT_JOB_ID-$PLACEWRIGHT_REPLICA_INDEX-$PLACEWRIGHT_TASK_INDEX"
flock -n 9 || echo "overlap $line" >>"$LEDGER"
echo "start $line" >>"$LEDGER"
sleep "$SECONDS_OF_WORK"
echo "end $line" >>"$LEDGER"
"""


class Entry(NamedTuple):
    """One line that a task wrote: start, end, or overlap where another run of its replica was alive."""

    what: str
    run_id: str
    task_index: str
    process_id: str

    @property
    def task(self) -> tuple[str, str]:
        return self.run_id, self.task_index

    @property
    def work(self) -> tuple[str, str]:
        """The task, whichever run it is of."""
        return self.run_id.rpartition("-")[0], self.task_index


@dataclass(frozen=True)
class Ledger:
    """The file, and a lock for each task of each replica, held by the task while anything of it lives."""

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> "Ledger":
        """A new one in an empty folder."""
        (folder / "locks").mkdir(parents=True)
        (folder / "ledger").touch()
        return cls(folder)

    def environment(self, *, seconds_of_work: float) -> dict[str, str]:
        """What the shell script `TASK` wants."""
        return {
            "LEDGER": str(self.folder / "ledger"),
            "LOCKS": str(self.folder / "locks"),
            "SECONDS_OF_WORK": f"{seconds_of_work:.1f}",
        }

    def entries(self, what: str) -> list[Entry]:
        lines = (self.folder / "ledger").read_text().splitlines()
        return [entry for entry in (Entry(*line.split(" ")) for line in lines) if entry.what == what]

    def check_nothing_ran_twice(self) -> None:
        """No task of a run was started twice, and no two runs of a replica were alive together."""
        assert repeated([entry.task for entry in self.entries("start")]) == [], "started twice"
        assert self.entries("overlap") == [], "two runs of a replica were alive together"

    def check_everything_was_done(self, tasks: Collection[tuple[str, str]]) -> None:
        """These tasks, by run and index, came to their end."""
        missing = set(tasks) - {entry.task for entry in self.entries("end")}
        assert missing == set(), "called a success, and did not come to its end"

    def check_no_work_was_done_twice(self) -> None:
        """No task came to its end in two runs."""
        assert repeated([entry.work for entry in self.entries("end")]) == [], "done twice"


def repeated(items: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    return [item for item, times in Counter(items).items() if times > 1]
