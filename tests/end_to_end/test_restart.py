"""The service is stopped and started again over its data: everything goes on as if nothing had happened."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from placewright import Client, HealthStatus, Job, JobEvent, JobHandle, JobPhase, Unavailable, WatchEventKind
from scheduler.bench.running_cell import WITHIN_S, Cell, a_pool, a_running_cell, is_alive, wait_until

pytestmark = pytest.mark.slow

TASK = 'echo "$$" > "$SAID"; cat "$GATE"'


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    with a_running_cell(tmp_path, a_pool("own", nodes=1)) as running:
        yield running


@pytest.fixture
def client(cell: Cell) -> Iterator[Client]:
    with cell.client() as opened:
        yield opened


def a_job(name: str, script: str, **env: str) -> Job:
    return Job(name=name, accelerators="h100:4", command=["sh", "-c", script], env=env, queue="team")


def a_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def events_until_finished(client: Client, job_id: str, *, cursor: str = "") -> list[JobEvent]:
    """What a watch says until a job is over."""
    events = []
    for event in client.watch_jobs(cursor=cursor):
        events.append(event)
        if event.job_id == job_id and event.job is not None and event.job.is_finished:
            return events
    raise AssertionError("a watch does not end by itself")


def test_jobs_runs_and_watches_go_on_after_a_restart(cell: Cell, client: Client, tmp_path: Path) -> None:
    said, gate = a_pipe(tmp_path / "said"), a_pipe(tmp_path / "gate")
    done = client.submit(a_job("done", "true")).wait(timeout=WITHIN_S)
    running = client.submit(a_job("running", TASK, SAID=str(said), GATE=str(gate)))
    process_id = int(said.read_text())
    before = running.wait("running", timeout=WITHIN_S)
    waiting = client.submit(a_job("waiting", "true"), request_id="request-waiting")
    blocking = client.submit(a_job("blocking", "exec sleep 600"))
    watch = client.watch_jobs()
    cursor = next(event.cursor for event in watch if event.kind is WatchEventKind.INITIAL_END)
    watch.close()  # type: ignore[attr-defined]  # an iterator of ours is a generator
    waiting.wait(timeout=WITHIN_S)
    blocking.wait("running", timeout=WITHIN_S)

    exit_code = cell.stop_service()
    cell.start_service()

    assert exit_code == 0
    assert client.get_job(done.job_id) == done
    assert running.refresh().replicas == before.replicas
    assert is_alive(process_id)
    cell.wait_until_ready()
    after = client.submit(a_job("after", "true"))
    assert after.job.revision > blocking.refresh().revision
    assert client.submit(a_job("waiting", "true"), request_id="request-waiting").job_id == waiting.job_id
    gate.write_text("go on")
    assert running.wait(timeout=WITHIN_S).phase is JobPhase.SUCCEEDED
    assert running.job.replicas[0].runs == 1
    _check_watch(client, cursor, [waiting, running, blocking], until=running)


def _check_watch(client: Client, cursor: str, changed: list[JobHandle], *, until: JobHandle) -> None:
    """A cursor from before the restart gives every change since, and does not start anew."""
    events = events_until_finished(client, until.job_id, cursor=cursor)
    revisions = [event.revision for event in events]
    assert {event.kind for event in events} == {WatchEventKind.CHANGED}
    assert {handle.job_id for handle in changed} <= {event.job_id for event in events}
    assert revisions == sorted(revisions)


def test_a_task_that_ends_while_the_service_is_down_is_reported_afterwards(
    cell: Cell, client: Client, tmp_path: Path
) -> None:
    said, gate = a_pipe(tmp_path / "said"), a_pipe(tmp_path / "gate")
    handle = client.submit(a_job("job", TASK, SAID=str(said), GATE=str(gate)))
    process_id = int(said.read_text())
    handle.wait("running", timeout=WITHIN_S)

    cell.stop_service()
    gate.write_text("go on")
    wait_until(lambda: not is_alive(process_id), "the task has ended")
    cell.start_service()

    finished = handle.wait(timeout=WITHIN_S)
    assert (finished.phase, finished.replicas[0].runs) == (JobPhase.SUCCEEDED, 1)


def test_a_task_that_ends_while_its_launcher_is_down_is_reported_afterwards(
    cell: Cell, client: Client, tmp_path: Path
) -> None:
    said, gate = a_pipe(tmp_path / "said"), a_pipe(tmp_path / "gate")
    handle = client.submit(a_job("job", TASK, SAID=str(said), GATE=str(gate)))
    process_id = int(said.read_text())
    handle.wait("running", timeout=WITHIN_S)

    exit_code = cell.stop_launcher()
    assert is_alive(process_id)
    gate.write_text("go on")
    wait_until(lambda: not is_alive(process_id), "the task has ended")
    cell.start_launcher()

    finished = handle.wait(timeout=WITHIN_S)
    assert exit_code == 0
    assert (finished.phase, finished.replicas[0].runs) == (JobPhase.SUCCEEDED, 1)


def test_a_wait_outlives_a_restart_of_the_service(cell: Cell, client: Client, tmp_path: Path) -> None:
    gate = a_pipe(tmp_path / "gate")
    handle = client.submit(a_job("job", 'cat "$GATE"', GATE=str(gate)))
    seen = handle.watch()
    next(seen)

    cell.stop_service()
    cell.start_service()
    gate.write_text("go on")

    phases = [job.phase for job in seen]
    assert phases[-1] is JobPhase.SUCCEEDED


def test_a_stopped_service_says_so_and_frees_its_data_directory(cell: Cell) -> None:
    with Client(cell.address) as client:
        assert client.health() is HealthStatus.SERVING
        assert cell.service is not None
        assert cell.service.stop(signal.SIGINT) == 0

        with pytest.raises(Unavailable):
            client.health()

    assert not (cell.folder / "data/main/valkey.pid").exists()
    cell.start_service()
