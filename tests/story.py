"""What people do while a cell is broken on purpose, and what must be true of it in the end."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

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
from scheduler.bench.running_cell import WITHIN_S, Cell, a_pool, wait_until
from tests.ledger import TASK, Ledger

SUBMIT_EVERY_S = 0.15
OBSERVE_EVERY_S = 0.2
CALL_TIMEOUT_S = 3.0
CALM_S_MAX = 90.0  # back-offs after lost starts
LEASE_S = 6
POOL, NODES, DEVICES = "own", 4, 8
GANG_TASKS = 2


def the_pool(*, self_fencing: bool, lease_s: int = LEASE_S) -> dict[str, object]:
    """The pool that the story's jobs run on."""
    return a_pool(POOL, nodes=NODES, self_fencing=self_fencing, lease_duration_seconds=lease_s)


def is_gang(name: str) -> bool:
    """Every fourth short job is one."""
    return name.startswith("short-") and int(name.removeprefix("short-")) % 4 == 0


@dataclass
class Observer:
    """Looks at every job again and again, and at what may never be seen.

    Attributes:
        looks: how often it got an answer.
        highest: the highest run number seen, by replica.
        over: runs that were seen ended.
        failovers: so often what was seen of a replica and not acknowledged may be taken back.
        taken_back: how often it was, by replica.
    """

    looks: int = 0
    highest: dict[str, int] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    failovers: int = 0
    taken_back: Counter[str] = field(default_factory=Counter)

    def look(self, jobs: Sequence[JobView]) -> None:
        """Check one list of all jobs."""
        self.looks += 1
        for job in jobs:
            for replica in job.replicas:
                self._check(replica)
            tasks = {placement.tasks for placement in job.live_placements}
            assert tasks <= {GANG_TASKS if is_gang(job.name) else 1}, job
        used = [p for job in jobs for p in job.live_placements]
        assert sum(placement.accelerators for placement in used) <= NODES * DEVICES, used

    def _check(self, replica: Replica) -> None:
        """At most one live run, and, but for failovers, never one that was over, never an older one."""
        run = replica.run
        is_live = run is not None and run.is_live
        assert is_live == (replica.state in (ReplicaState.PLACED, ReplicaState.RUNNING)), replica
        if run is None:
            return
        assert run.run_number == replica.runs, replica
        is_older = run.run_number < self.highest.get(replica.replica_id, 0)
        if is_older or (is_live and run.run_id in self.over):
            self.taken_back[replica.replica_id] += 1
            assert self.taken_back[replica.replica_id] <= self.failovers, replica
            self.over.discard(run.run_id)
        self.highest[replica.replica_id] = run.run_number
        if not is_live:
            self.over.add(run.run_id)


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
        return Client(self.cell.address, timeout_s=CALL_TIMEOUT_S, outage_s_max=CALM_S_MAX)

    def service(self) -> Job:
        return Job(
            name="service", kind="inference", replicas=2, accelerators="h100:1", queue="services",
            command=["sh", "-c", TASK], env=self.ledger.environment(seconds_of_work=3600), grace_period="1s",
        )  # fmt: skip

    def short_job(self, number: int) -> Job:
        name = f"short-{number}"
        return Job(
            name=name, queue="short", accelerators="h100:2x4" if is_gang(name) else "h100:2",
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


@contextmanager
def told(story: Story) -> Iterator[None]:
    """The story goes on while the body breaks things; then everything becomes calm and is judged.

    All that was acknowledged is there and has succeeded, one watch has seen every end, nothing is left
    running, and the ledger shows no run that was started twice and no two runs of a replica at once.
    """
    with ThreadPoolExecutor() as threads, story.client() as client:
        service = client.submit(story.service())
        watching = threads.submit(story.watch_until_finished, service.job_id)
        try:
            with meanwhile(threads, story):
                yield
            jobs = story.wait_until_finished()
            service.cancel()
            service.wait(timeout=CALM_S_MAX)
            _judge(story, jobs, finished={service.job_id, *story.acknowledged.values()}, watching=watching)
            assert client.get_pool(POOL).usage.runs == 0
        finally:
            story.close()
    story.ledger.check_nothing_ran_twice()
    story.ledger.check_everything_was_done([task for job in jobs for task in _tasks_of_last_run(job)])


def _judge(
    story: Story, jobs: Sequence[JobView], *, finished: set[str], watching: "Future[set[str]]"
) -> None:
    assert {job.name: job.job_id for job in jobs} == story.acknowledged
    assert {job.phase for job in jobs} == {JobPhase.SUCCEEDED}
    assert watching.result(WITHIN_S) == finished


@contextmanager
def meanwhile(threads: ThreadPoolExecutor, story: Story) -> Iterator[None]:
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
