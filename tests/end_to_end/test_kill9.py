"""kill -9 of anything at any moment loses no acknowledged job, starts no run twice, runs no replica twice.

`KILL_SEEDS=2,3,4` tries further orders of kills.
"""

import logging
import os
import random
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from placewright import Client, DeadlineExceeded, Job, JobPhase, JobView, Replica, ReplicaState, Unavailable
from tests.processes import Cell, a_pool, a_running_cell, wait_until

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SEEDS = [1, *(int(seed) for seed in os.environ.get("KILL_SEEDS", "").split(",") if seed)]
PAUSE_S = (0.5, 1.5)  # between kills
SUBMIT_EVERY_S = 0.15
OBSERVE_EVERY_S = 0.2
CALL_TIMEOUT_S = 3.0
CALM_S_MAX = 90.0  # back-offs after lost starts
LEASE_S = 5
NODES, DEVICES = 4, 8

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
    """The file to which tasks append, and the locks that they hold while they live."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"LEDGER": str(self.folder / "ledger"), "LOCKS": str(self.folder / "locks")}

    def entries(self, what: str) -> list[Entry]:
        lines = (self.folder / "ledger").read_text().splitlines()
        return [entry for entry in (Entry(*line.split(" ")) for line in lines) if entry.what == what]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    (tmp_path / "locks").mkdir()
    (tmp_path / "ledger").touch()
    return Ledger(tmp_path)


@dataclass
class Observer:
    """Looks at every job again and again, and at what may never be seen.

    Attributes:
        looks: how often it got an answer.
        highest: the highest run number seen, by replica.
        over: runs that were seen ended.
    """

    looks: int = 0
    highest: dict[str, int] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)

    def look(self, jobs: Sequence[JobView]) -> None:
        """Check one list of all jobs."""
        self.looks += 1
        for job in jobs:
            for replica in job.replicas:
                self._check(replica)
        used = [p for job in jobs for p in job.live_placements]
        assert sum(placement.accelerators for placement in used) <= NODES * DEVICES, used

    def _check(self, replica: Replica) -> None:
        """At most one live run, never one that was over, never an older one."""
        run = replica.run
        is_live = run is not None and run.is_live
        assert is_live == (replica.state in (ReplicaState.PLACED, ReplicaState.RUNNING)), replica
        if run is None:
            return
        assert run.run_number == replica.runs >= self.highest.get(replica.replica_id, 0), replica
        assert not (is_live and run.run_id in self.over), replica
        self.highest[replica.replica_id] = run.run_number
        if not is_live:
            self.over.add(run.run_id)


class Kills:
    """A seeded order of kills, each followed by a restart."""

    def __init__(self, cell: Cell, *, seed: int) -> None:
        self._cell = cell
        self._random = random.Random(seed)
        self.done: list[str] = []

    def run(self) -> None:
        """Kill everything several times, alone and together, also while it starts."""
        acts = [
            *[self.service] * 2, *[self.launcher] * 3, *[self.store] * 3, *[self.planner] * 2,
            self.service_as_it_starts, self.launcher_as_it_starts, self.all_at_once,
        ]  # fmt: skip
        self._random.shuffle(acts)
        for act in acts:
            self._pause()
            act()
            self.done.append(act.__name__)

    def service(self) -> None:
        self._cell.kill_service()
        self._cell.start_service()

    def store(self) -> None:
        self._cell.kill_store()

    def planner(self) -> None:
        self._cell.kill_planner()

    def launcher(self) -> None:
        self._cell.kill_launcher()
        self._cell.start_launcher()

    def launcher_as_it_starts(self) -> None:
        self.launcher()
        self._pause(0.1, 0.6)
        self.launcher()

    def service_as_it_starts(self) -> None:
        self._cell.kill_service()
        starting = threading.Thread(target=self._start_in_vain)
        starting.start()
        self._pause(0.5, 2.5)
        assert self._cell.service is not None
        self._cell.service.process.kill()
        starting.join()
        self._cell.service.kill()
        self._cell.start_service()

    def _start_in_vain(self) -> None:
        with suppress(AssertionError):  # it is killed before it is ready
            self._cell.start_service()

    def all_at_once(self) -> None:
        self._cell.kill_launcher()
        self._cell.kill_store()
        self._cell.kill_service()
        self._cell.start_service()
        self._cell.start_launcher()

    def _pause(self, seconds_min: float = PAUSE_S[0], seconds_max: float = PAUSE_S[1]) -> None:
        threading.Event().wait(self._random.uniform(seconds_min, seconds_max))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("self_fencing", [False, True], ids=["without_self_fencing", "self_fencing"])
def test_kill_9_of_anything_loses_no_job_and_runs_nothing_twice(
    ledger: Ledger, tmp_path: Path, *, self_fencing: bool, seed: int
) -> None:
    assert shutil.which("flock"), "flock of util-linux must be installed"
    log.warning("seed=%d", seed)
    observer, calm = Observer(), threading.Event()
    pool = a_pool("own", nodes=NODES, self_fencing=self_fencing, lease_duration_seconds=LEASE_S)
    with a_running_cell(tmp_path, pool) as cell, cell.client() as client, ThreadPoolExecutor() as threads:
        service = client.submit(_service(ledger))
        kills = Kills(cell, seed=seed)
        with _until_calm(calm):
            submitting = threads.submit(_submit_until_calm, cell, ledger, calm=calm)
            observing = threads.submit(_observe_until_calm, cell, observer, calm=calm)
            kills.run()
        acknowledged = submitting.result()
        observing.result()

        jobs = _wait_until_finished(client, observer, acknowledged)
        service.cancel()
        service.wait(timeout=CALM_S_MAX)

        log.warning("%d jobs, %d looks, kills: %s", len(acknowledged), observer.looks, ", ".join(kills.done))
        assert {job.name: job.job_id for job in jobs} == acknowledged
        assert {job.phase for job in jobs} == {JobPhase.SUCCEEDED}
        _check_ledger(ledger, jobs, is_done_once=not self_fencing)
        assert len(_histories(cell)) == 1


@contextmanager
def _until_calm(calm: threading.Event) -> Iterator[None]:
    try:
        yield
    finally:
        calm.set()


def _service(ledger: Ledger) -> Job:
    return Job(
        name="service", kind="inference", replicas=2, accelerators="h100:1", queue="services",
        command=["sh", "-c", TASK], env={**ledger.environment, "SECONDS_OF_WORK": "3600"}, grace_period="1s",
    )  # fmt: skip


def _short_job(ledger: Ledger, number: int) -> Job:
    return Job(
        name=f"short-{number}", queue="short", accelerators="h100:2x4" if number % 4 == 0 else "h100:2",
        command=["sh", "-c", TASK], env={**ledger.environment, "SECONDS_OF_WORK": f"{number % 8 * 0.3:.1f}"},
        estimated_duration="1h", grace_period="1s",
    )  # fmt: skip


def _submit_until_calm(cell: Cell, ledger: Ledger, *, calm: threading.Event) -> dict[str, str]:
    """A steady stream of jobs: the id of each acknowledged one by its name."""
    acknowledged = {}
    with Client(cell.address, timeout_s=CALL_TIMEOUT_S) as client:
        while not calm.wait(SUBMIT_EVERY_S):
            job = _short_job(ledger, len(acknowledged))
            acknowledged[job.name] = _submit_until_acknowledged(client, job)
    return acknowledged


def _submit_until_acknowledged(client: Client, job: Job) -> str:
    while True:
        with suppress(Unavailable, DeadlineExceeded):
            return client.submit(job, request_id=f"request-{job.name}").job_id


def _observe_until_calm(cell: Cell, observer: Observer, *, calm: threading.Event) -> None:
    with Client(cell.address, timeout_s=CALL_TIMEOUT_S) as client:
        while not calm.wait(OBSERVE_EVERY_S):
            with suppress(Unavailable, DeadlineExceeded):
                observer.look(list(client.list_jobs(page_size=1000)))


def _wait_until_finished(
    client: Client, observer: Observer, acknowledged: Mapping[str, str]
) -> list[JobView]:
    """The short jobs once all are over."""

    def finished() -> list[JobView]:
        observer.look(list(client.list_jobs(page_size=1000)))
        jobs = list(client.list_jobs(queue="short", page_size=1000))
        return jobs if all(job.is_finished for job in jobs) else []

    jobs = wait_until(finished, f"{len(acknowledged)} jobs have finished", within_s=CALM_S_MAX)
    assert len(jobs) == len(acknowledged)
    return jobs


def _check_ledger(ledger: Ledger, jobs: Sequence[JobView], *, is_done_once: bool) -> None:
    starts = Counter(entry.task for entry in ledger.entries("start"))
    assert [task for task, times in starts.items() if times > 1] == [], "a task was started twice"
    assert ledger.entries("overlap") == [], "two runs of a replica were alive together"
    ended = {entry.task for entry in ledger.entries("end")}
    runs = [job.replicas[0].run for job in jobs]
    needed = {
        (run.run_id, str(i)) for run in runs if run and run.placement for i in range(run.placement.tasks)
    }
    assert needed <= ended, "a job succeeded though a task of its last run did not end"
    if is_done_once:
        work = Counter(entry.work for entry in ledger.entries("end"))
        assert [one for one, times in work.items() if times > 1] == [], "work was done twice"


def _tasks_of_last_run(job: JobView) -> list[tuple[str, str]]:
    run = job.replicas[0].run
    assert run is not None, job
    assert run.placement is not None, job
    return [(run.run_id, str(index)) for index in range(run.placement.tasks)]


def _histories(cell: Cell) -> set[str]:
    """The histories that launchers were told of: one as long as the store loses nothing."""
    log = (cell.folder / "launcher-local.log").read_text()
    return {word for line in log.splitlines() for word in line.split() if word.startswith("history=")}
