"""Several processes of one cell over one Valkey, each with an address that it keeps."""

import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from placewright import Client
from scheduler.bench.running_cell import READY, WITHIN_S, Cell, RunningProcess, wait_until
from scheduler.state.server_processes import SharedValkey, free_ports

CONTROLS_READY = re.compile(r"placewright controls\nmetrics at (\S+)\n")


@dataclass
class Replica:
    """One process of the cell; it keeps its addresses when it is replaced.

    Attributes:
        command: serve, api or control.
        settings: as environment variables.
    """

    name: str
    command: str
    cell: Cell
    options: list[str]
    port: int
    metrics_port: int
    settings: dict[str, str]
    process: RunningProcess | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.cell.folder / f"{self.name}.log"

    @property
    def process_id(self) -> int:
        assert self.process is not None
        return self.process.process_id

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        listens = [] if self.command == "control" else [f"--listen={self.address}"]
        command = [
            "scheduler", self.command, *listens,
            f"--metrics-listen=127.0.0.1:{self.metrics_port}", *self.options,
        ]  # fmt: skip
        self.process = RunningProcess(
            command, self.log, environment={**self.cell.environment, **self.settings}
        )
        self.process.read_until(READY if listens else CONTROLS_READY)

    def stop(self) -> None:
        """As a rolling upgrade ends it."""
        assert self.process is not None
        assert self.process.stop() == 0, self.process.log_tail()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process_id, number)

    def client(self) -> Client:
        return Client(self.address, tls=False, outage_s_max=WITHIN_S)

    def readiness(self) -> tuple[int, str]:
        """What /readyz says; status 0 when nobody answers."""
        return self._get("readyz")

    def metric(self, series: str) -> float:
        """The value of one series, with its labels as Prometheus spells them."""
        for line in self._get("metrics")[1].splitlines():
            name, _, value = line.rpartition(" ")
            if name == series:
                return float(value)
        return 0.0

    def leads(self) -> bool:
        return self.metric("placewright_leader") == 1

    def _get(self, page: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/{page}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""


@dataclass
class Replicas:
    """The cell: its store, its processes, and launchers that know every address."""

    valkey: SharedValkey
    cell: Cell
    all: dict[str, Replica] = field(default_factory=dict)

    @property
    def addresses(self) -> str:
        return ",".join(each.address for each in self.all.values() if each.command != "control")

    def add(
        self, name: str, command: str, *, env: Mapping[str, str] | None = None, redis_url: str = ""
    ) -> Replica:
        """A process that has not been started yet, over the shared Valkey unless said otherwise."""
        fleet = [] if command == "api" else self.cell.options
        options = [f"--redis-url={redis_url or self.valkey.url}", *fleet]
        port, metrics_port = free_ports(2)
        replica = Replica(
            name=name, command=command, cell=self.cell, options=options,
            port=port, metrics_port=metrics_port, settings=dict(env or {}),
        )  # fmt: skip
        self.all[name] = replica
        self.cell.address = self.addresses
        return replica

    def start(self) -> None:
        """Start all at once, as after a power cut or for the first time."""
        with ThreadPoolExecutor() as threads:
            list(threads.map(Replica.start, self.all.values()))

    def leader(self) -> Replica:
        """Who leads, once one does."""
        leader = wait_until(self._leader, "one leads")
        assert leader is not None
        return leader

    def _leader(self) -> Replica | None:
        leaders = [each for each in self.all.values() if each.leads()]
        return leaders[0] if len(leaders) == 1 else None

    def others(self, replica: Replica) -> list[Replica]:
        return [each for each in self.all.values() if each is not replica]

    def close(self) -> None:
        """Kill every process. Safe to repeat."""
        for each in self.all.values():
            if each.process is not None and each.process.is_alive():
                each.send(signal.SIGCONT)
                each.kill()


@contextmanager
def replicas(cell: Cell) -> Iterator[Replicas]:
    """Over a Valkey that runs; everything is ended in the end."""
    valkey = SharedValkey(cell.folder / "valkey")
    running = Replicas(valkey, cell)
    try:
        yield running
    finally:
        running.close()
        valkey.stop()
