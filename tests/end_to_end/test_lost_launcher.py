"""A launcher is killed and does not come back, or comes back late: what becomes of its runs."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from placewright import Client, EndReason, FailedPrecondition, Job, JobHandle, JobPhase, Run, RunState
from scheduler.bench.running_cell import WITHIN_S, Cell, a_cell, a_pool, is_alive, wait_until

pytestmark = pytest.mark.slow

LEASE_S = 6
TASK = 'echo "$PLACEWRIGHT_RUN_NUMBER $$" > "$SAID"; exec sleep 600'


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """A pipe into which each task says its run's number and its process id."""
    pipe = tmp_path / "said"
    os.mkfifo(pipe)
    return pipe


@pytest.fixture
def cell(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cell]:
    """Two pools with a launcher each; the parameter says whether they fence themselves."""
    pools = [
        a_pool(name, launcher_id=name, self_fencing=request.param, lease_duration_seconds=LEASE_S)
        for name in ("first", "second")
    ]
    with a_cell(tmp_path, *pools) as made:
        made.start_service()
        yield made


@pytest.fixture
def client(cell: Cell) -> Iterator[Client]:
    with cell.client() as opened:
        yield opened


@pytest.fixture
def handle(cell: Cell, client: Client, said: Path) -> JobHandle:
    """A job that runs on the first pool; the second is ready and free."""
    cell.start_launcher("first")
    job = Job(name="job", accelerators="h100:8", command=["sh", "-c", TASK], env={"SAID": str(said)})
    running = client.submit(job)
    running.wait("running", timeout=WITHIN_S)
    cell.start_launcher("second")
    cell.wait_until_ready()
    return running


fencing = pytest.mark.parametrize("cell", [True], indirect=True, ids=["self_fencing"])
not_fencing = pytest.mark.parametrize("cell", [False], indirect=True, ids=["without_self_fencing"])


def newest_run(handle: JobHandle) -> Run:
    run = handle.refresh().replicas[0].run
    assert run is not None
    return run


def process_of_run(said: Path, number: int) -> int:
    """The process id of the task of the run with this number, once it has started."""
    told, process_id = said.read_text().split()
    assert int(told) == number
    return int(process_id)


def wait_for_state(handle: JobHandle, state: RunState) -> None:
    wait_until(lambda: newest_run(handle).state is state, f"the run is {state}")


@fencing
def test_tasks_stop_before_the_lease_ends_and_the_replica_runs_elsewhere(
    cell: Cell, client: Client, handle: JobHandle, said: Path
) -> None:
    process_id = process_of_run(said, 1)
    client.cordon_pool("second", "so that the lost run can be seen")

    cell.kill_launcher("first")
    lease_ends_s = time.monotonic() + LEASE_S
    wait_until(lambda: not is_alive(process_id), "the task has been stopped by its host")

    assert time.monotonic() < lease_ends_s
    assert newest_run(handle).state is not RunState.ENDED
    wait_for_state(handle, RunState.ENDED)
    assert newest_run(handle).end_reason is EndReason.LOST
    client.uncordon_pool("second")
    assert is_alive(process_of_run(said, 2))
    wait_for_state(handle, RunState.RUNNING)
    assert [placement.pool_id for placement in handle.refresh().live_placements] == ["second"]


@not_fencing
def test_an_unreachable_run_is_not_replaced_and_goes_on_when_its_launcher_returns(
    cell: Cell, client: Client, handle: JobHandle, said: Path
) -> None:
    process_id, before = process_of_run(said, 1), newest_run(handle)

    cell.kill_launcher("first")
    wait_for_state(handle, RunState.UNREACHABLE)
    another = Job(name="another", accelerators="h100:8", command=["true"])
    elsewhere = client.submit(another).wait(timeout=WITHIN_S)

    assert elsewhere.phase is JobPhase.SUCCEEDED  # planning went on, and had room for the replica
    assert (newest_run(handle).run_id, newest_run(handle).state) == (before.run_id, RunState.UNREACHABLE)
    assert is_alive(process_id)
    cell.start_launcher("first")
    wait_for_state(handle, RunState.RUNNING)
    assert newest_run(handle) == before
    assert is_alive(process_id)


@not_fencing
def test_a_run_that_an_operator_declares_ended_is_replaced_and_its_leftovers_are_stopped(
    cell: Cell, client: Client, handle: JobHandle, said: Path
) -> None:
    process_id, run_id = process_of_run(said, 1), newest_run(handle).run_id
    with pytest.raises(FailedPrecondition):
        client.force_end_run(run_id, "a reachable run must be cancelled instead")

    cell.kill_launcher("first")
    wait_for_state(handle, RunState.UNREACHABLE)
    ended = client.force_end_run(run_id, "the machine was taken away")

    assert (ended.state, ended.end_reason) == (RunState.ENDED, EndReason.LOST)
    assert "the machine was taken away" in ended.message
    second = process_of_run(said, 2)
    assert is_alive(process_id)  # the operator's word was wrong
    cell.start_launcher("first")
    wait_until(lambda: not is_alive(process_id), "the returned launcher has stopped what was given up")
    assert is_alive(second)
    assert newest_run(handle).run_number == 2
