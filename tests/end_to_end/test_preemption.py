"""Preemption with real processes: a frontier job gets the place of a batch job, which goes on later."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest

from placewright import Client, EndReason, Job, JobPhase, Run, RunState
from placewright.cli.tables import job_lines
from scheduler.bench.running_cell import WITHIN_S, Cell, a_pool, a_running_cell, is_alive, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    with a_running_cell(tmp_path, a_pool("only", nodes=1)) as running:
        yield running


def newest_run(client: Client, job_id: str) -> Run:
    run = client.get_job(job_id).replicas[0].run
    assert run is not None
    return run


def test_a_frontier_job_gets_the_place_of_a_batch_job_which_goes_on_later(cell: Cell, tmp_path: Path) -> None:
    started, goes_on, gate = tmp_path / "started", tmp_path / "goes-on", tmp_path / "gate"
    os.mkfifo(gate)
    save = f"while [ ! -e {goes_on} ]; do sleep 0.05; done; exit 0"
    batch_script = f"trap '{save}' TERM; echo $$ >> {started}; while :; do sleep 0.05; done"
    frontier_script = f"cat {gate}"
    with cell.client() as client:
        batch = client.submit(a_job("batch", batch_script, priority_class="batch", grace_period="60s"))
        batch.wait("running", timeout=WITHIN_S)
        wait_until(lambda: started.exists() and started.read_text(), "the batch task runs")
        process_id = int(started.read_text())

        frontier = client.submit(a_job("frontier", frontier_script, priority_class="frontier"))
        frontier.wait("placed", timeout=WITHIN_S)

        # the victim uses its grace: until it has ended the frontier run is placed, and not offered
        stopping, waiting = newest_run(client, batch.job_id), newest_run(client, frontier.job_id)
        assert (stopping.state, stopping.stop_reason) == (RunState.STOPPING, EndReason.PREEMPTED)
        assert stopping.message == f"preempted by {frontier.job_id} (frontier)"
        assert (waiting.state, waiting.after_run_ids) == (RunState.PLACED, (stopping.run_id,))
        shown = "\n".join(job_lines(client.get_job(frontier.job_id), datetime.now(UTC)))
        assert f"placed for when {stopping.run_id} ended" in shown
        assert is_alive(process_id)

        goes_on.touch()
        frontier.wait("running", timeout=WITHIN_S)
        preempted = client.get_job(batch.job_id).replicas[0]
        assert preempted.run is not None
        assert preempted.run.end_reason is EndReason.PREEMPTED
        assert preempted.run.message.startswith(f"preempted by {frontier.job_id} (frontier)")
        began, ended = newest_run(client, frontier.job_id).running_at, preempted.run.ended_at
        assert began is not None
        assert ended is not None
        assert began >= ended

        gate.write_text("done")
        assert frontier.wait(timeout=WITHIN_S).phase is JobPhase.SUCCEEDED
        batch.wait("running", timeout=WITHIN_S)
        assert newest_run(client, batch.job_id).run_number == 2
        wait_until(lambda: len(started.read_text().split()) == 2, "the batch task runs again")
        assert 'placewright_preemptions_total{pool="only",priority_class="batch"} 1.0' in metrics_of(cell)


def metrics_of(cell: Cell) -> str:
    with urlopen(cell.metrics_url, timeout=WITHIN_S) as answer:  # of the cell, over loopback
        return str(answer.read(), "utf-8")


def a_job(name: str, script: str, *, priority_class: str, grace_period: str = "1s") -> Job:
    """A job that fills the pool."""
    return Job(
        name=name,
        accelerators="h100:8",
        command=["sh", "-c", script],
        estimated_duration="1h",
        priority_class=priority_class,
        grace_period=grace_period,
    )
