"""kill -9 of anything at any moment loses no acknowledged job, starts no run twice, runs no replica twice.

`KILL_SEEDS=2,3,4` tries further orders of kills.
"""

import logging
import os
import random
import shutil
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from scheduler.bench.running_cell import Cell, a_running_cell
from tests.ledger import Ledger
from tests.story import LEASE_S, Story, the_pool, told

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SEEDS = [1, *(int(seed) for seed in os.environ.get("KILL_SEEDS", "").split(",") if seed)]
PAUSE_S = (0.5, 1.5)  # between kills


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


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("self_fencing", [False, True], ids=["without_self_fencing", "self_fencing"])
def test_kill_9_of_anything_loses_no_job_and_runs_nothing_twice(
    tmp_path: Path, *, self_fencing: bool, seed: int
) -> None:
    assert shutil.which("flock"), "flock of util-linux must be installed"
    log.warning("seed=%d", seed)
    ledger = Ledger.of(tmp_path / "ledger")
    with a_running_cell(tmp_path, the_pool(self_fencing=self_fencing)) as cell:
        story, kills = Story(cell, ledger), Kills(cell, seed=seed)
        with told(story):
            kills.run()
        log.warning(
            "%d jobs, %d looks, %s", len(story.acknowledged), story.observer.looks, ", ".join(kills.done)
        )
        assert len(cell.histories()) == 1
    if not self_fencing:
        ledger.check_no_work_was_done_twice()
