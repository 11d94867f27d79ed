"""kill -9 of anything at any moment loses no acknowledged job, starts no run twice, runs no replica twice.

`KILL_SEEDS=2,3,4` tries further orders of kills.
"""

import logging
import os
import random
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from placewright import (
    Client,
    DeadlineExceeded,
    Job,
    JobPhase,
    JobView,
    Replica,
    ReplicaState,
    Unavailable,
    WatchEventKind,
)
from tests.ledger import TASK, Ledger
from tests.processes import WITHIN_S, Cell, a_pool, a_running_cell, wait_until

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SEEDS = [1, *(int(seed) for seed in os.environ.get("KILL_SEEDS", "").split(",") if seed)]
PAUSE_S = (0.5, 1.5)  # between kills
SUBMIT_EVERY_S = 0.15
OBSERVE_EVERY_S = 0.2
CALL_TIMEOUT_S = 3.0
CALM_S_MAX = 90.0  # back-offs after lost starts
LEASE_S = 6
NODES, DEVICES = 4, 8


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
            self.service_as_it_starts, self.launcher_as_it_starts, self.all_at_once, self.launcher_for_long,
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

    def launcher_for_long(self) -> None:
        """Longer than its lease: runs become unreachable, and where they fence themselves, lost."""
        self._cell.kill_launcher()
        self._pause(LEASE_S + 1.0, LEASE_S + 2.0)
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


@dataclass
class Story:
    """What happens while everything is killed, and what must be true in the end.

    Attributes:
        calm: set when nothing is killed any more.
        acknowledged: ids of jobs by their names.
    """

    cell: Cell
    ledger: Ledger
    observer: Observer = field(default_factory=Observer)
    calm: threading.Event = field(default_factory=threading.Event)
    acknowledged: dict[str, str] = field(default_factory=dict)
    _watching: Client | None = None

    def client(self) -> Client:
        return Client(self.cell.address, timeout_s=CALL_TIMEOUT_S, outage_s_max=WITHIN_S)

    def service(self) -> Job:
        return Job(
            name="service", kind="inference", replicas=2, accelerators="h100:1", queue="services",
            command=["sh", "-c", TASK], env=self.ledger.environment(seconds_of_work=3600), grace_period="1s",
        )  # fmt: skip

    def short_job(self, number: int) -> Job:
        return Job(
            name=f"short-{number}", queue="short", accelerators="h100:2x4" if number % 4 == 0 else "h100:2",
            command=["sh", "-c", TASK], env=self.ledger.environment(seconds_of_work=number % 8 * 0.3),
            estimated_duration="1h", grace_period="1s",
        )  # fmt: skip

    def submit_until_calm(self) -> None:
        """A steady stream of jobs, each repeated until it is acknowledged."""
        with self.client() as client:
            while not self.calm.wait(SUBMIT_EVERY_S):
                job = self.short_job(len(self.acknowledged))
                submit = partial(self._submit, client, job)
                self.acknowledged[job.name] = wait_until(submit, "acknowledged", within_s=CALM_S_MAX)

    def _submit(self, client: Client, job: Job) -> str:
        with suppress(Unavailable, DeadlineExceeded):
            return client.submit(job, request_id=f"request-{job.name}").job_id
        return ""

    def observe_until_calm(self) -> None:
        """Look at every job, again and again."""
        with self.client() as client:
            while not self.calm.wait(OBSERVE_EVERY_S):
                with suppress(Unavailable, DeadlineExceeded):
                    self.observer.look(list(client.list_jobs(page_size=1000)))

    def watch_until_finished(self, last: str) -> set[str]:
        """The jobs that one watch, over all outages, says are over, up to the last one."""
        finished = set[str]()
        with self.client() as client:
            self._watching = client
            for event in client.watch_jobs():
                assert event.kind is not WatchEventKind.RESTARTED, "the watch has lost its position"
                if event.job is not None and event.job.is_finished:
                    finished.add(event.job_id)
                if last in finished:
                    break
        return finished

    def close(self) -> None:
        """End the watch, so that nobody waits for it when something else has failed."""
        if self._watching is not None:
            self._watching.close()

    def wait_until_finished(self) -> list[JobView]:
        """The short jobs once all are over."""

        def finished() -> list[JobView]:
            self.observer.look(list(client.list_jobs(page_size=1000)))
            jobs = list(client.list_jobs(queue="short", page_size=1000))
            return jobs if all(job.is_finished for job in jobs) else []

        with self.cell.client() as client:
            return wait_until(finished, "every job is over", within_s=CALM_S_MAX)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("self_fencing", [False, True], ids=["without_self_fencing", "self_fencing"])
def test_kill_9_of_anything_loses_no_job_and_runs_nothing_twice(
    tmp_path: Path, *, self_fencing: bool, seed: int
) -> None:
    assert shutil.which("flock"), "flock of util-linux must be installed"
    log.warning("seed=%d", seed)
    ledger = Ledger.of(tmp_path / "ledger")
    pool = a_pool("own", nodes=NODES, self_fencing=self_fencing, lease_duration_seconds=LEASE_S)
    with ThreadPoolExecutor() as threads, a_running_cell(tmp_path, pool) as cell, cell.client() as client:
        story, kills = Story(cell, ledger), Kills(cell, seed=seed)
        with closing(story):
            service = client.submit(story.service())
            watching = threads.submit(story.watch_until_finished, service.job_id)
            with _meanwhile(threads, story):
                kills.run()
            jobs = story.wait_until_finished()
            service.cancel()
            service.wait(timeout=CALM_S_MAX)

            log.warning(
                "%d jobs, %d looks, kills: %s", len(jobs), story.observer.looks, ", ".join(kills.done)
            )
            assert {job.name: job.job_id for job in jobs} == story.acknowledged
            assert {job.phase for job in jobs} == {JobPhase.SUCCEEDED}
            assert watching.result(WITHIN_S) == {service.job_id, *story.acknowledged.values()}
            assert client.get_pool("own").usage.runs == 0
            assert len(_histories(cell)) == 1
    ledger.check_nothing_ran_twice()
    ledger.check_everything_was_done([task for job in jobs for task in _tasks_of_last_run(job)])
    if not self_fencing:
        ledger.check_no_work_was_done_twice()


@contextmanager
def _meanwhile(threads: ThreadPoolExecutor, story: Story) -> Iterator[None]:
    """Submit and observe while something else is done."""
    doing = [threads.submit(story.submit_until_calm), threads.submit(story.observe_until_calm)]
    try:
        yield
    finally:
        story.calm.set()
    for done in doing:
        done.result()


def _tasks_of_last_run(job: JobView) -> list[tuple[str, str]]:
    run = job.replicas[0].run
    assert run is not None, job
    assert run.placement is not None, job
    return [(run.run_id, str(index)) for index in range(run.placement.tasks)]


def _histories(cell: Cell) -> set[str]:
    """The histories that launchers were told of: one as long as the store loses nothing."""
    log = (cell.folder / "launcher-local.log").read_text()
    return {word for line in log.splitlines() for word in line.split() if word.startswith("history=")}
