"""The faults of b8: what is broken, in which cell, and how it is made whole again."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from scheduler.bench.faulty_link import FaultyLink, a_faulty_link
from scheduler.bench.replicas import Replica, Replicas, replicas
from scheduler.bench.running_cell import a_cell, a_pool, wait_until
from scheduler.state.server_processes import Servers, info, replica_is_linked, sentinel_servers
from scheduler.state.server_processes import wait_until as wait_until_servers

NODES = 32
LAUNCHERS = ("first", "second")  # each with a pool of its own name
LAUNCHER_LEASE_S = 6
STALL_S = (LAUNCHER_LEASE_S + 1.5, LAUNCHER_LEASE_S + 3.0)
HALF_OPEN_S = 6.0  # at least; a call of the store has 5 s
ENOUGH_S_MAX = 60.0
SENTINEL_S_MAX = 180.0  # on a busy machine it doubts its own clock, and waits for 30 s each time


class Fault(StrEnum):
    LEADER_KILLED = "leader kill -9"
    STORE_KILLED = "Redis kill -9"
    FAILOVER = "Redis failover"
    LAUNCHER_STALLED = "stalled launcher"
    HALF_OPEN = "half-open TCP to Redis"


@dataclass
class BrokenCell:
    """Two whole services over one store, two launchers, and what faults need of them.

    Attributes:
        links: of each service to the store, by its name; only for `HALF_OPEN`.
        servers: behind Sentinel; only for `FAILOVER`.
        ledger: what the launchers did.
        broken_at_s: of the wall clock, just after the fault began; 0 before.
    """

    running: Replicas
    ledger: Path
    links: dict[str, FaultyLink] = field(default_factory=dict)
    servers: Servers | None = None
    broken_at_s: float = 0.0

    def break_and_mend(self, fault: Fault, chance: random.Random) -> None:
        """Returns when everything that was broken is whole again, as far as processes go."""
        acts: dict[Fault, Callable[[random.Random], None]] = {
            Fault.LEADER_KILLED: self._kill_leader,
            Fault.STORE_KILLED: self._kill_store,
            Fault.FAILOVER: self._fail_over,
            Fault.LAUNCHER_STALLED: self._stall_launcher,
            Fault.HALF_OPEN: self._hang_leader,
        }
        acts[fault](chance)

    def _kill_leader(self, _chance: random.Random) -> None:
        leader = self.running.leader()
        leader.kill()
        self.broken_at_s = time.time()
        self._wait_for_another_than(leader)
        _start_again(leader)

    def _kill_store(self, _chance: random.Random) -> None:
        self.running.valkey.stop()
        self.broken_at_s = time.time()
        self.running.valkey.start()

    def _fail_over(self, _chance: random.Random) -> None:
        """Kill the primary; it comes back as the replica, without which nothing is acknowledged."""
        assert self.servers is not None
        primary, replica = sorted(self.servers.ports, key=lambda port: not _is_primary(port))
        self.servers.kill(primary)
        self.broken_at_s = time.time()
        wait_until_servers(lambda: _is_primary(replica), within_seconds=SENTINEL_S_MAX)
        self.servers.restart(primary)
        wait_until_servers(lambda: replica_is_linked(primary), within_seconds=SENTINEL_S_MAX)

    def _stall_launcher(self, chance: random.Random) -> None:
        launcher = self.running.cell.launchers[chance.choice(LAUNCHERS)]
        os.kill(launcher.process_id, signal.SIGSTOP)
        self.broken_at_s = time.time()
        threading.Event().wait(chance.uniform(*STALL_S))
        os.kill(launcher.process_id, signal.SIGCONT)

    def _hang_leader(self, _chance: random.Random) -> None:
        leader = self.running.leader()
        self.links[leader.name].half_open()
        self.broken_at_s = time.time()
        threading.Event().wait(HALF_OPEN_S)
        self._wait_for_another_than(leader)
        self.links[leader.name].mend()

    def _wait_for_another_than(self, leader: Replica) -> None:
        (other,) = self.running.others(leader)
        wait_until(other.leads, f"{other.name} leads", within_s=ENOUGH_S_MAX)


@contextmanager
def a_cell_to_break(folder: Path, fault: Fault, *, self_fencing: bool) -> Iterator[BrokenCell]:
    """A cell that is ready, with the store that the fault needs."""
    pools = [
        a_pool(
            name, nodes=NODES, launcher_id=name,
            self_fencing=self_fencing, lease_duration_seconds=LAUNCHER_LEASE_S,
        )
        for name in LAUNCHERS
    ]  # fmt: skip
    with a_cell(folder, *pools) as cell, replicas(cell) as running, ExitStack() as stack:
        broken = BrokenCell(running, folder / "ledger")
        for name in ("a", "b"):
            url, env = "", {"PLACEWRIGHT_LOG_LEVEL": "warning"}
            if fault is Fault.HALF_OPEN:
                broken.links[name] = stack.enter_context(a_faulty_link(running.valkey.port))
                url = f"redis://{broken.links[name].address}"
            if fault is Fault.FAILOVER:  # the Valkey of the replicas stays idle
                broken.servers = broken.servers or stack.enter_context(sentinel_servers(folder / "sentinel"))
                url, env = broken.servers.url, {**env, "PLACEWRIGHT_DURABILITY": "replicated"}
            running.add(name, "serve", env=env, redis_url=url)
        stack.callback(running.close)  # before its store goes
        running.start()
        for name in LAUNCHERS:
            cell.start_timed_launcher(name, ledger=broken.ledger)
        cell.wait_until_ready()
        yield broken


def _is_primary(port: int) -> bool:
    """Whether this server takes writes; a busy machine may have seen a failover before."""
    return info(port, "replication")["role"] == "master"


def _start_again(replica: Replica) -> None:
    def is_started() -> bool:
        with suppress(AssertionError):
            replica.start()
            return True
        replica.kill()
        return False

    wait_until(is_started, f"{replica.name} is started again")
