"""The store comes back without its newest writes: what runs is adopted, nothing is started twice."""

import os
import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from placewright import Job, JobPhase
from scheduler.bench.running_cell import WITHIN_S, Cell, a_pool, a_running_cell, is_alive, wait_until

pytestmark = pytest.mark.slow

TASK = 'echo start >>"$LEDGER"; echo "$$" >"$SAID"; cat "$GATE"'
LOSES_WRITES = "--durability=everysec"  # so that a restart begins a new history: writes may be missing


class KeptState:
    """The embedded store's files as they were at one moment, and its way back to them."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._files, self._copy = cell.folder / "data/main/appendonlydir", cell.folder / "kept"
        shutil.copytree(self._files, self._copy)

    def restore(self) -> None:
        """Kill the service and its store, and start them over the kept files."""
        process_id = int((self._cell.folder / "data/main/valkey.pid").read_text())
        self._cell.kill_service()
        self._cell.kill_store()
        wait_until(lambda: not is_alive(process_id), "the store is gone")
        shutil.rmtree(self._files)
        shutil.copytree(self._copy, self._files)
        self._cell.start_service()


def adopted_runs(cell: Cell) -> int:
    """As the service counts them."""
    with urllib.request.urlopen(cell.metrics_url, timeout=WITHIN_S) as response:
        said = re.search(
            r'^placewright_unknown_runs_total{result="adopted"} (\S+)$', response.read().decode(), re.M
        )
    assert said is not None
    return int(float(said[1]))


def a_task(folder: Path) -> dict[str, str]:
    """The environment of `TASK`."""
    for name in ("said", "gate"):
        os.mkfifo(folder / name)
    return {"LEDGER": str(folder / "ledger"), "SAID": str(folder / "said"), "GATE": str(folder / "gate")}


def the_job(env: dict[str, str]) -> Job:
    return Job(name="train", accelerators="h100:4", command=["sh", "-c", TASK], env=env)


def test_a_run_that_the_store_has_lost_goes_on_and_is_known_again(tmp_path: Path) -> None:
    with (
        a_running_cell(tmp_path, a_pool("own", nodes=1), options=[LOSES_WRITES]) as cell,
        cell.client() as client,
    ):
        env = a_task(tmp_path)
        client.cordon_pool("own", "later")
        job = client.submit(the_job(env))
        kept = KeptState(cell)
        client.uncordon_pool("own")
        process_id = int((tmp_path / "said").read_text())
        before = job.wait("running", timeout=WITHIN_S).replicas[0]

        kept.restore()

        wait_until(lambda: client.get_job(job.job_id).is_running, "the run is adopted")
        after = client.get_job(job.job_id).replicas[0]
        assert after.run is not None
        assert before.run is not None
        assert after.run.run_id == before.run.run_id
        assert after.run.placement == before.run.placement
        assert is_alive(process_id)
        (tmp_path / "gate").write_text("go on")
        assert job.wait(timeout=WITHIN_S).phase is JobPhase.SUCCEEDED
        assert (tmp_path / "ledger").read_text() == "start\n"
        assert adopted_runs(cell) == 1


def test_the_run_of_a_job_that_the_store_has_lost_is_stopped(tmp_path: Path) -> None:
    with (
        a_running_cell(tmp_path, a_pool("own", nodes=1), options=[LOSES_WRITES]) as cell,
        cell.client() as client,
    ):
        kept = KeptState(cell)
        client.submit(the_job(a_task(tmp_path)))
        process_id = int((tmp_path / "said").read_text())

        kept.restore()

        wait_until(lambda: not is_alive(process_id), "its tasks are stopped")
        assert list(client.list_jobs()) == []
        cell.wait_until_ready()
        assert (
            client.submit(Job(name="next", accelerators="h100:8", command=["true"]))
            .wait(timeout=WITHIN_S)
            .phase
            is JobPhase.SUCCEEDED
        )
