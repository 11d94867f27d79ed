"""A failover of Sentinel under load: with the replica in sync, no run and no acknowledged job notices it."""

import logging
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from placewright import JobPhase, JobView
from scheduler.bench.running_cell import Cell, a_cell, wait_until
from scheduler.state.server_processes import Servers, info, replica_is_linked, sentinel_servers
from tests.ledger import Ledger
from tests.story import CALM_S_MAX, Observer, Story, meanwhile, the_pool

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

JOBS_BEFORE, JOBS_AFTER = 10, 10
LEASE_S = 60  # longer than Sentinel takes to make the old primary a replica, until which nothing is renewed


@pytest.fixture
def servers() -> Iterator[Servers]:
    with tempfile.TemporaryDirectory(prefix="pw-") as folder, sentinel_servers(Path(folder)) as running:
        yield running


def test_a_failover_interrupts_no_run_and_loses_no_acknowledged_job(tmp_path: Path, servers: Servers) -> None:
    ledger = Ledger.of(tmp_path / "ledger")
    with (
        a_cell(tmp_path, the_pool(self_fencing=True, lease_s=LEASE_S)) as cell,
        ThreadPoolExecutor() as threads,
    ):
        start(cell, servers)
        story = Story(cell, ledger, Observer(failovers=1))
        with story.client() as client:
            service = client.submit(story.service())
            before = service.wait(until="running", timeout=CALM_S_MAX)
            with meanwhile(threads, story):
                wait_until(lambda: len(story.acknowledged) >= JOBS_BEFORE, "jobs were submitted")
                fail_over(servers, story)
            finished = story.wait_until_finished()

            assert {job.name: job.job_id for job in finished} == story.acknowledged
            assert {job.phase for job in finished} == {JobPhase.SUCCEEDED}
            assert run_ids(service.refresh()) == run_ids(before), "the running job was interrupted"
            service.cancel()
            service.wait(timeout=CALM_S_MAX)
        assert len(cell.histories()) == 2
    ledger.check_nothing_ran_twice()
    ledger.check_no_work_was_done_twice()


def start(cell: Cell, servers: Servers) -> None:
    cell.options += [f"--redis-url={servers.url}", "--durability=replicated"]
    cell.start_service()
    cell.start_launcher()
    cell.wait_until_ready()


def fail_over(servers: Servers, story: Story) -> None:
    """Kill the primary; it comes back as the replica, without which nothing can be acknowledged."""
    primary, replica = servers.ports
    began_s = time.monotonic()
    servers.kill(primary)
    wait_until(lambda: info(replica, "replication")["role"] == "master", "the replica has taken over")
    promoted_s = time.monotonic() - began_s
    servers.restart(primary)
    wait_until(lambda: replica_is_linked(primary), "Sentinel has made it the replica")
    linked_s = time.monotonic() - began_s
    count = len(story.acknowledged)
    wait_until(lambda: len(story.acknowledged) > count, "a job is acknowledged again", within_s=CALM_S_MAX)
    again_s = time.monotonic() - began_s
    wait_until(lambda: len(story.acknowledged) >= count + JOBS_AFTER, "jobs go on", within_s=CALM_S_MAX)
    log.warning(
        "promoted in %.1f s, in sync in %.1f s, acknowledged again in %.1f s", promoted_s, linked_s, again_s
    )


def run_ids(job: JobView) -> list[str]:
    return [replica.run.run_id for replica in job.replicas if replica.run is not None]
