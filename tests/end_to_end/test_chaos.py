"""Two replicas over one Valkey while processes, links, disk and clocks fail at the same time.

`CHAOS_SEEDS=2,3` tries further orders of faults.
"""

import errno
import logging
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scheduler.bench.faulty_link import FaultyLink, a_faulty_link
from scheduler.bench.replicas import Replica, Replicas, replicas
from scheduler.bench.running_cell import LAUNCHER, a_cell, planners_of, wait_until
from scheduler.control.leader import LEADER_LEASE_MS
from scheduler.state.server_processes import SharedValkey
from tests.ledger import Ledger
from tests.story import LEASE_S, Story, the_pool, told

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEEDS = [1, *(int(seed) for seed in os.environ.get("CHAOS_SEEDS", "").split(",") if seed)]
PAUSE_S = (0.1, 0.6)  # between faults
BEYOND_LEADER_LEASE_S = LEADER_LEASE_MS / 1000 + 1.5
BEYOND_LAUNCHER_LEASE_S = LEASE_S + 1.5
BEYOND_STORE_TIMEOUT_S = 6.0  # a call of the store has 5 s
SHORT_S = 2.0
DELAY_S = 0.3
DISK_BYTES = 32 * 2**20
HOUR_S = 3600
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
EXIT_S_MAX = 10.0


# --- what can be broken ---


@dataclass
class Broken:
    """The cell, and everything that a fault needs of it.

    Attributes:
        disk: where the Valkey keeps its files, small enough to be filled; None where nothing can be mounted.
        clocks: the file that says how far a replica's clock is off, by the replica's name.
        links: of each replica to the Valkey, by the replica's name, and of the launcher to the first replica.
    """

    running: Replicas
    links: dict[str, FaultyLink]
    disk: Path | None
    clocks: Mapping[str, Path]

    @property
    def valkey(self) -> SharedValkey:
        return self.running.valkey

    @property
    def launcher_addresses(self) -> str:
        """The first replica through a link, the second without one."""
        return f"{self.links['launcher'].address},{self.running.all['b'].address}"

    def leader_and_follower(self) -> tuple[Replica, Replica]:
        leader = self.running.leader()
        return leader, self.running.others(leader)[0]

    def start_launcher(self) -> None:
        self.running.cell.start_launcher(LAUNCHER, f"--address={self.launcher_addresses}")


@contextmanager
def a_cell_to_break(folder: Path, *, self_fencing: bool) -> Iterator[Broken]:
    with ExitStack() as stack:
        cell = stack.enter_context(a_cell(folder, the_pool(self_fencing=self_fencing)))
        disk = stack.enter_context(a_small_disk(folder / "valkey"))
        running = stack.enter_context(replicas(cell))
        links, clocks = dict[str, FaultyLink](), dict[str, Path]()
        for name in ("a", "b"):
            links[name] = stack.enter_context(a_faulty_link(running.valkey.port))
            env = _with_a_clock(folder / f"clock-{name}", clocks) if name == "a" else {}
            running.add(name, "serve", env=env, redis_url=f"redis://{links[name].address}")
        links["launcher"] = stack.enter_context(a_faulty_link(running.all["a"].port))
        broken = Broken(running, links, disk, clocks)
        running.start()
        broken.start_launcher()
        cell.wait_until_ready()
        yield broken


@contextmanager
def a_small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of its own at this folder, where we may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    is_mounted = shutil.which("mount") and subprocess.run(command, capture_output=True, check=False)
    if not is_mounted or is_mounted.returncode:
        log.warning("disk_full is left out: nothing can be mounted here")
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _with_a_clock(file: Path, clocks: dict[str, Path]) -> dict[str, str]:
    """Environment of a replica whose wall clock we move; its monotonic clock stays true."""
    if FAKETIME is None:
        log.warning("clock_jump is left out: libfaketime is not installed")
        return {}
    file.write_text("+0")
    clocks["a"] = file
    return {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
    }  # fmt: skip


# --- faults ---


@dataclass
class Faults:
    """Seeded orders of faults: those of processes one after the other, and those of their surroundings."""

    broken: Broken
    random: random.Random
    done: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Both orders at the same time, so that faults meet."""
        processes = [
            self.kill_leader, self.kill_follower, self.kill_launcher, self.kill_planner, self.kill_valkey,
            self.stop_leader, self.stop_follower, self.stop_launcher, self.stop_planner, self.stop_valkey,
        ]  # fmt: skip
        if self.broken.disk:
            processes.append(self.disk_full)
        surroundings = [
            *(self._link_fault(name, kind) for name in sorted(self.broken.links) for kind in LINK_FAULTS),
            *([self.clock_ahead, self.clock_behind] if self.broken.clocks else []),
        ]
        with ThreadPoolExecutor() as threads:
            orders = [threads.submit(self._run, acts, self._seed()) for acts in (processes, surroundings)]
        for order in orders:
            order.result()

    def _seed(self) -> int:
        return self.random.randrange(2**32)

    def _run(self, acts: Sequence[Callable[[], None]], seed: int) -> None:
        chance = random.Random(seed)
        for act in chance.sample(acts, len(acts)):
            threading.Event().wait(chance.uniform(*PAUSE_S))
            began_s = time.monotonic()
            act()
            self.done.append(f"{act.__name__} {time.monotonic() - began_s:.1f} s")

    # --- processes ---

    def kill_leader(self) -> None:
        leader = self.broken.leader_and_follower()[0]
        _replace(leader)

    def kill_follower(self) -> None:
        follower = self.broken.leader_and_follower()[1]
        _replace(follower)

    def kill_launcher(self) -> None:
        self.broken.running.cell.kill_launcher()
        self.broken.start_launcher()

    def kill_planner(self) -> None:
        os.kill(self._planner(), signal.SIGKILL)

    def kill_valkey(self) -> None:
        self.broken.valkey.stop()
        self.broken.valkey.start()

    def stop_leader(self) -> None:
        leader = self.broken.leader_and_follower()[0]
        _stop_for(leader.process_id, BEYOND_LEADER_LEASE_S)

    def stop_follower(self) -> None:
        follower = self.broken.leader_and_follower()[1]
        _stop_for(follower.process_id, SHORT_S)

    def stop_launcher(self) -> None:
        launcher = self.broken.running.cell.launchers[LAUNCHER]
        _stop_for(launcher.process_id, BEYOND_LAUNCHER_LEASE_S)

    def stop_planner(self) -> None:
        _stop_for(self._planner(), SHORT_S)

    def stop_valkey(self) -> None:
        _stop_for(self.broken.valkey.process.pid, BEYOND_STORE_TIMEOUT_S)

    def _planner(self) -> int:
        leader = self.broken.leader_and_follower()[0]
        return wait_until(lambda: planners_of(leader.process_id), "it has a planner")[0]

    def disk_full(self) -> None:
        """A Valkey that must write before it answers ends when it cannot."""
        assert self.broken.disk is not None
        filler = self.broken.disk / "filler"
        _fill(filler)
        self.broken.valkey.process.wait(EXIT_S_MAX)
        filler.unlink()
        self.broken.valkey.start()

    # --- surroundings ---

    def _link_fault(self, name: str, kind: str) -> Callable[[], None]:
        def act() -> None:
            seconds = LINK_FAULTS[kind](self.broken.links[name])
            threading.Event().wait(seconds)
            self.broken.links[name].mend()

        act.__name__ = f"{kind}_link_{name}"
        return act

    def clock_ahead(self) -> None:
        self._jump(HOUR_S)

    def clock_behind(self) -> None:
        self._jump(-HOUR_S)

    def _jump(self, seconds: int) -> None:
        for file in self.broken.clocks.values():
            file.write_text(f"{seconds:+d}")
        threading.Event().wait(SHORT_S)
        for file in self.broken.clocks.values():
            file.write_text("+0")


def _delayed(link: FaultyLink) -> float:
    link.delay(DELAY_S)
    return SHORT_S


def _cut(link: FaultyLink) -> float:
    link.cut()
    return SHORT_S


def _half_open(link: FaultyLink) -> float:
    link.half_open()
    return BEYOND_STORE_TIMEOUT_S


LINK_FAULTS: Mapping[str, Callable[[FaultyLink], float]] = {
    "delay": _delayed, "cut": _cut, "half_open": _half_open,
}  # fmt: skip


def _replace(replica: Replica) -> None:
    """Kill it; start it again and again, since it ends when its store is out of reach as it starts."""

    def is_started() -> bool:
        replica.kill()
        with suppress(AssertionError):
            replica.start()
            return True
        return False

    wait_until(is_started, f"{replica.name} is started again")


def _stop_for(process_id: int, seconds: float) -> None:
    os.kill(process_id, signal.SIGSTOP)
    threading.Event().wait(seconds)
    os.kill(process_id, signal.SIGCONT)


def _fill(file: Path) -> None:
    """Write until there is no room."""
    block = bytes(2**12)
    with file.open("wb", buffering=0) as filler:
        try:
            while filler.write(block):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


# --- what must be true ---


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_acknowledged_is_lost_and_nothing_runs_twice_whatever_fails(
    tmp_path: Path, seed: int
) -> None:
    log.warning("seed=%d", seed)
    ledger = Ledger.of(tmp_path / "ledger")
    self_fencing = seed % 2 == 0
    with a_cell_to_break(tmp_path, self_fencing=self_fencing) as broken:
        story, faults = Story(broken.running.cell, ledger), Faults(broken, random.Random(seed))
        try:
            with told(story):
                faults.run()
        finally:
            log.warning(
                "%d jobs, %d looks: %s", len(story.acknowledged), story.observer.looks, ", ".join(faults.done)
            )
        assert len(broken.running.cell.histories()) == 1
    if not self_fencing:
        ledger.check_no_work_was_done_twice()
