"""Several processes over one store: any answers, one leads, and each can be replaced or lost."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import grpc
import pytest

from placewright import (
    Client,
    DeadlineExceeded,
    Job,
    JobHandle,
    JobPhase,
    JobView,
    Unavailable,
    WatchEventKind,
)
from placewright.v1 import job_service_pb2, job_service_pb2_grpc
from scheduler.bench.replicas import Replica, Replicas, replicas
from scheduler.bench.running_cell import STOP_S_MAX, WITHIN_S, a_cell, a_pool, planners_of, wait_until
from scheduler.control.leader import LEADER_LEASE_MS
from scheduler.model.ids import CellId
from scheduler.model.records import Kind
from scheduler.state.keys import Keys
from tests.ledger import TASK, Ledger

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

EXIT_BAD_SETTINGS = 2
DRAIN_S_MAX = 3.0  # a new planner process is started in it
FAILOVER_S_MAX = LEADER_LEASE_MS / 1000 + 1
GETTING = 'placewright_rpc_in_flight{rpc="JobService/GetJob"}'
CALM_S_MAX = 60.0
SUBMIT_EVERY_S = 0.1


def a_job(name: str, script: str = "true") -> Job:
    return Job(name=name, accelerators="h100:1", command=["sh", "-c", script])


@contextmanager
def two_replicas(folder: Path) -> Iterator[Replicas]:
    """Two whole services and a launcher that knows both."""
    with a_cell(folder, a_pool("own", nodes=4)) as cell, replicas(cell) as running:
        for name in ("a", "b"):
            running.add(name, "serve")
        running.start()
        cell.start_launcher()
        cell.wait_until_ready()
        yield running


class Story:
    """Jobs that are submitted all the time, and one that runs all the time."""

    def __init__(self, running: Replicas, ledger: Ledger) -> None:
        self._running, self._ledger = running, ledger
        self.is_over = threading.Event()
        self.acknowledged: dict[str, str] = {}

    def long_job(self) -> Job:
        return self._job("long", seconds_of_work=3600)

    def _job(self, name: str, *, seconds_of_work: float) -> Job:
        return Job(
            name=name, accelerators="h100:1", command=["sh", "-c", TASK], grace_period="1s",
            env=self._ledger.environment(seconds_of_work=seconds_of_work), estimated_duration="1h",
        )  # fmt: skip

    def submit_until_over(self) -> None:
        with Client(self._running.addresses, tls=False, timeout_s=5.0, outage_s_max=WITHIN_S) as client:
            while not self.is_over.wait(SUBMIT_EVERY_S):
                job = self._job(f"short-{len(self.acknowledged)}", seconds_of_work=0.1)
                submit = partial(self._submit, client, job)
                self.acknowledged[job.name] = wait_until(submit, "acknowledged", within_s=CALM_S_MAX)

    def _submit(self, client: Client, job: Job) -> str:
        with suppress(Unavailable, DeadlineExceeded):
            return client.submit(job, request_id=f"request-{job.name}").job_id
        return ""

    @contextmanager
    def going_on(self) -> Iterator[None]:
        with ThreadPoolExecutor() as threads:
            submitting = threads.submit(self.submit_until_over)
            try:
                yield
            finally:
                self.is_over.set()
            submitting.result()


def replace(replica: Replica) -> None:
    """One step of a rolling upgrade: the old process drains, the new one gets ready."""
    replica.stop()
    replica.start()
    wait_until(lambda: replica.readiness()[0] == 200, f"{replica.name} is ready")


@pytest.mark.parametrize(
    "commands", [("serve", "serve"), ("api", "api", "control", "control")], ids=["serve", "api_and_control"]
)
def test_a_rolling_upgrade_is_not_noticed(tmp_path: Path, commands: tuple[str, ...]) -> None:
    ledger = Ledger.of(tmp_path / "ledger")
    with a_cell(tmp_path, a_pool("own", nodes=4)) as cell, replicas(cell) as running:
        for number, command in enumerate(commands):
            running.add(f"{command}-{number}", command)
        running.start()
        cell.start_launcher()
        cell.wait_until_ready()
        story = Story(running, ledger)
        with cell.client() as client:
            long_job = client.submit(story.long_job())
            before = long_job.wait(until="running", timeout=WITHIN_S)
            with story.going_on():
                for replica in running.all.values():
                    replace(replica)
            jobs = {name: client.get_job(job_id) for name, job_id in story.acknowledged.items()}
            finished = [client.handle(job.job_id).wait(timeout=CALM_S_MAX) for job in jobs.values()]
            after = client.get_job(long_job.job_id)

            assert len(jobs) > 10
            assert {job.phase for job in finished} == {JobPhase.SUCCEEDED}
            assert {job.replicas[0].runs for job in finished} == {1}
            assert after.replicas[0].run == before.replicas[0].run, "the running job was interrupted"
            long_job.cancel()
            long_job.wait(timeout=WITHIN_S)
    ledger.check_nothing_ran_twice()
    assert len(ledger.entries("start")) == len(finished) + 1


def test_another_leads_at_once_when_the_leader_drains_and_soon_when_it_is_killed(tmp_path: Path) -> None:
    with two_replicas(tmp_path) as running:
        first = running.leader()
        (second,) = running.others(first)
        with second.client() as client:
            usual_s = seconds_to_placement(client, "with-a-leader")
            first.stop()
            drained_s = seconds_to_placement(client, "after-drain")
        first.start()
        with first.client() as client:
            client.list_jobs()
            second.kill()
            lost_s = seconds_to_placement(client, "after-kill")

        log.warning(
            "placed in %.2f s; after a drain %.2f s, after kill -9 %.2f s", usual_s, drained_s, lost_s
        )
        assert drained_s < usual_s + DRAIN_S_MAX
        assert lost_s < usual_s + FAILOVER_S_MAX


def seconds_to_placement(client: Client, name: str) -> float:
    began_s = time.monotonic()
    client.submit(a_job(name)).wait(until="placed", timeout=WITHIN_S)
    return time.monotonic() - began_s


def test_a_leader_that_was_stopped_in_a_cycle_finds_another_and_follows(tmp_path: Path) -> None:
    with two_replicas(tmp_path) as running:
        stalled = running.leader()
        (other,) = running.others(stalled)
        with other.client() as client, stalled.client() as client_of_stalled:
            handle = submit_and_stop_between_plan_and_commit(client, client_of_stalled, stalled)
            placed = handle.wait(until="placed", timeout=WITHIN_S)
            assert other.leads()
            stalled.send(signal.SIGCONT)
            wait_until(lambda: not stalled.leads() and stalled.readiness()[0] == 200, "it follows")
            later = client_of_stalled.submit(a_job("later")).wait(timeout=WITHIN_S)
            finished = handle.wait(timeout=WITHIN_S)

            assert {(job.phase, job.replicas[0].runs) for job in (finished, later)} == {
                (JobPhase.SUCCEEDED, 1)
            }
            assert run_of(finished) == run_of(placed)
            assert other.leads()


def run_of(job: JobView) -> str:
    run = job.replicas[0].run
    assert run is not None, job
    return run.run_id


def ids(client: Client) -> set[str]:
    return {job.job_id for job in client.list_jobs()}


def submit_and_stop_between_plan_and_commit(
    client: Client, client_of_stalled: Client, stalled: Replica
) -> JobHandle:
    """The leader waits for its planner while it is stopped; the plan lies ready when it goes on."""
    assert stalled.process is not None
    (planner,) = planners_of(stalled.process.process_id)
    os.kill(planner, signal.SIGSTOP)
    handle = client.submit(a_job("planned-twice"))
    wait_until(lambda: handle.job_id in ids(client_of_stalled), "the leader has seen the job")
    stalled.send(signal.SIGSTOP)
    os.kill(planner, signal.SIGCONT)
    return handle


# --- reads and watches across replicas ---


def test_a_watch_goes_on_at_another_replica_and_after_a_restart_of_both(tmp_path: Path) -> None:
    with two_replicas(tmp_path) as running:
        here, there = running.all.values()
        with here.client() as client:
            start = next(event for event in client.watch_jobs() if event.cursor)
            names = {client.submit(a_job(f"job-{number}")).job.name for number in range(5)}
        for replica in (here, there):
            with replica.client() as client:
                assert names_after(client, start.cursor, count=5) == names
        for replica in (here, there):
            replica.stop()
        for replica in (here, there):
            replica.start()
        with there.client() as client:
            assert names_after(client, start.cursor, count=5) == names


def names_after(client: Client, cursor: str, *, count: int) -> set[str]:
    """Names of the jobs that a watch from there tells of, once it told of so many."""
    names = set[str]()
    for event in client.watch_jobs(cursor=cursor):
        assert event.kind is not WatchEventKind.RESTARTED
        if event.job is not None:
            names.add(event.job.name)
        if len(names) == count:
            break
    return names


def test_a_watch_survives_the_loss_of_its_replica(tmp_path: Path) -> None:
    with two_replicas(tmp_path) as running, Client(running.addresses, tls=False) as client:
        last = client.submit(a_job("last", "sleep 3"))
        with ThreadPoolExecutor() as threads:
            following = threads.submit(lambda: [job.phase for job in last.watch()])
            last.wait(until="running", timeout=WITHIN_S)
            for replica in list(running.all.values()):
                replica.kill()
                replica.start()

            assert following.result(timeout=CALM_S_MAX)[-1] is JobPhase.SUCCEEDED


def test_what_was_written_at_one_replica_is_read_at_another(tmp_path: Path) -> None:
    with two_replicas(tmp_path) as running:
        here, there = running.all.values()
        with grpc.insecure_channel(there.address) as channel, here.client() as client:
            stub = job_service_pb2_grpc.JobServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            for number in range(50):
                job = client.submit(a_job(f"job-{number}")).job
                request = job_service_pb2.GetJobRequest(job_id=job.job_id, min_revision=job.revision)
                assert stub.GetJob(request, timeout=WITHIN_S).job.job_id == job.job_id


# --- mirrors ---


def test_a_planted_difference_is_found_and_mended(tmp_path: Path) -> None:
    with a_cell(tmp_path, a_pool("own")) as cell, replicas(cell) as running:
        replica = running.add("a", "serve", env={"PLACEWRIGHT_MIRROR_COMPARISON_MS": "300"})
        replica.start()
        with replica.client() as client, running.valkey.client() as valkey:
            job = client.submit(a_job("rewritten"))
            records = Keys(CellId("main")).records(Kind.JOB)
            wait_until(lambda: client.get_job(job.job_id).deferrals, "it is left alone from now on")
            before = valkey.hget(records, job.job_id)
            assert isinstance(before, bytes)
            valkey.hset(records, job.job_id, before.replace(b"rewritten", b"corrected"))
            wait_until(lambda: replica.metric("placewright_mirror_differences_total") == 1, "it is counted")

            wait_until(
                lambda: client.get_job(job.job_id).name == "corrected", "the loaded state is taken over"
            )
        assert f'"job/{job.job_id}"' in replica.log.read_text().replace("'", '"')
        assert replica.readiness() == (200, "ready\n")


# --- commands ---


@pytest.mark.parametrize("command", ["api", "control"])
def test_a_share_of_a_cell_needs_a_shared_store(command: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "scheduler", command],
        capture_output=True, text=True, timeout=STOP_S_MAX, check=False,
    )  # fmt: skip

    assert refused.returncode == EXIT_BAD_SETTINGS
    assert f"redis_url: must be given for `{command}`" in refused.stderr


@pytest.mark.parametrize("setting", ["listen", "metrics_listen"])
def test_an_address_in_use_is_told(tmp_path: Path, setting: str) -> None:
    options = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options[setting] = f"127.0.0.1:{taken.getsockname()[1]}"
        words = [f"--{name.replace('_', '-')}={address}" for name, address in options.items()]
        refused = subprocess.run(
            [sys.executable, "-m", "scheduler", "serve", f"--data-dir={tmp_path}", *words],
            capture_output=True, text=True, timeout=STOP_S_MAX, check=False,
        )  # fmt: skip

    assert refused.returncode == EXIT_BAD_SETTINGS
    assert f"{setting}: {options[setting]} cannot be bound" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_replica_without_its_store_is_not_ready(tmp_path: Path) -> None:
    with a_cell(tmp_path, a_pool("own")) as cell, replicas(cell) as running:
        running.add("api", "api").start()
        running.add("control", "control").start()
        wait_until(lambda: readiness_of(running) == {(200, "ready\n")}, "both are ready")
        running.valkey.stop()
        reason = "not ready: the mirror does not reach the store\n"
        wait_until(lambda: readiness_of(running) == {(503, reason)}, "both say why they are not")


def readiness_of(running: Replicas) -> set[tuple[int, str]]:
    return {replica.readiness() for replica in running.all.values()}


def test_a_draining_replica_says_so_and_finishes_what_is_under_way(tmp_path: Path) -> None:
    with two_replicas(tmp_path) as running:
        here, there = running.all.values()
        with grpc.insecure_channel(here.address) as channel, there.client() as client:
            stub = job_service_pb2_grpc.JobServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            job = client.submit(a_job("before")).wait(timeout=WITHIN_S)
            later = job_service_pb2.GetJobRequest(job_id=job.job_id, min_revision=job.revision + 40)
            under_way = stub.GetJob.future(later, timeout=WITHIN_S)
            wait_until(lambda: here.metric(GETTING) == 1, "the call is under way")
            here.send(signal.SIGTERM)
            wait_until(lambda: here.readiness() == (503, "not ready: draining\n"), "it says that it drains")
            while not under_way.done():
                client.submit(a_job("meanwhile"))

            assert under_way.result().job.job_id == job.job_id
        here.stop()
