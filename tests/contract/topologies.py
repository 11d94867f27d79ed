"""A real Cluster set-up of several servers, from the binary of the embedded Valkey."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scheduler.state.server_processes import (
    KEEPS_WRITES,
    Servers,
    ask,
    client,
    free_ports,
    replica_is_linked,
    wait_until,
)

SLOTS = 16_384


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
