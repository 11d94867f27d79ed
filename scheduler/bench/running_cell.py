"""A cell as an operator runs it: a service and launchers, each a process of its own that can be killed."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from placewright import Client
from placewright.launcher.processes import kill_processes_with

START_S_MAX = 60.0
STOP_S_MAX = 20.0
WITHIN_S = 30.0
LOOK_S = 0.05
LOG_TAIL_CHARACTERS = 4_000
READY = re.compile(r"placewright serves (\S+)\nmetrics at (\S+)\n")
CELL_VARIABLE = "CELL_FOLDER"  # in every process of a cell, so that none is left behind
LAUNCHER = "local"

T = TypeVar("T")


class RunningProcess:
    """A process whose log is a file.

    Attributes:
        log: what it wrote to stderr, of every process that had this name.
    """

    def __init__(self, module: Sequence[str], log: Path, *, environment: Mapping[str, str]) -> None:
        self.log = log
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *module],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=dict(environment),
                cwd=log.parent,
                start_new_session=True,
            )

    @property
    def process_id(self) -> int:
        return self.process.pid

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def read_until(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """What it says on stdout, once that matches."""
        assert self.process.stdout is not None
        said, end_s = "", time.monotonic() + START_S_MAX
        while (found := pattern.search(said)) is None:
            left_s = end_s - time.monotonic()
            readable = select.select([self.process.stdout], [], [], max(0.0, left_s))[0]
            chunk = os.read(self.process.stdout.fileno(), 4_096) if readable else b""
            assert chunk, f"not ready: it said {said!r} and logged\n{self.log_tail()}"
            said += chunk.decode()
        return found

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end; its exit code."""
        self.process.send_signal(number)
        return self._wait()

    def kill(self) -> None:
        self.process.kill()
        self._wait()

    def _wait(self) -> int:
        try:
            return self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not end within {STOP_S_MAX} s:\n{self.log_tail()}") from None
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()


class Cell:
    """A service over one data directory and its launchers; the service keeps its port over restarts.

    Attributes:
        folder: everything of the cell is below it.
        address: of the API; empty before the first start.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.address = ""
        self.metrics_url = ""
        self.options = list(options)
        self.service: RunningProcess | None = None
        self.launchers: dict[str, RunningProcess] = {}

    # --- the service ---

    @property
    def service_log(self) -> Path:
        return self.folder / "service.log"

    def start_service(self) -> None:
        """Start it and wait until it is ready."""
        command = [
            "scheduler", "serve", f"--listen={self.address or '127.0.0.1:0'}",
            "--metrics-listen=127.0.0.1:0", f"--data-dir={self.folder / 'data'}", *self.options,
        ]  # fmt: skip
        self.service = RunningProcess(command, self.service_log, environment=self.environment)
        self.address, self.metrics_url = self.service.read_until(READY).groups()

    def stop_service(self) -> int:
        assert self.service is not None
        return self.service.stop()

    def kill_service(self) -> None:
        assert self.service is not None
        self.service.kill()

    def kill_store(self) -> None:
        """Kill the embedded Valkey; the service starts another one."""
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self.folder / "data/main/valkey.pid").read_text()), signal.SIGKILL)

    def kill_planner(self) -> None:
        """Kill the planner process, if there is one; the service starts another one."""
        assert self.service is not None
        for process_id in planners_of(self.service.process_id):
            os.kill(process_id, signal.SIGKILL)

    # --- launchers ---

    def start_launcher(self, launcher_id: str = LAUNCHER, *options: str) -> RunningProcess:
        """Start one; its tasks go on when it ends."""
        return self._start_launcher(["placewright.launcher", "--backend=local"], launcher_id, *options)

    def start_timed_launcher(self, launcher_id: str, *, ledger: Path) -> RunningProcess:
        """Start one whose runs are only times; what it does is noted in the ledger."""
        return self._start_launcher(["scheduler.bench.timed_launcher"], launcher_id, f"--ledger={ledger}")

    def _start_launcher(self, module: Sequence[str], launcher_id: str, *options: str) -> RunningProcess:
        command = [
            *module, f"--address={self.address}", f"--launcher-id={launcher_id}",
            f"--state-dir={self.folder / launcher_id}", *options,
        ]  # fmt: skip
        log = self.folder / f"launcher-{launcher_id}.log"
        launcher = RunningProcess(command, log, environment=self.environment)
        self.launchers[launcher_id] = launcher
        return launcher

    def stop_launcher(self, launcher_id: str = LAUNCHER) -> int:
        return self.launchers.pop(launcher_id).stop()

    def kill_launcher(self, launcher_id: str = LAUNCHER) -> None:
        self.launchers.pop(launcher_id).kill()

    # --- the whole ---

    def histories(self, launcher_id: str = LAUNCHER) -> set[str]:
        """The histories that a launcher was told of: one as long as the store loses nothing."""
        lines = (self.folder / f"launcher-{launcher_id}.log").read_text().splitlines()
        return {word for line in lines for word in line.split() if word.startswith("history=")}

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLACEWRIGHT_")}
        return {**inherited, CELL_VARIABLE: str(self.folder)}

    def client(self, *, token: str | None = None, outage_s_max: float = WITHIN_S) -> Client:
        return Client(self.address, token=token, tls=False, outage_s_max=outage_s_max)

    def wait_until_ready(self) -> None:
        """Wait until every pool has its launcher."""
        with self.client() as client:
            wait_until(lambda: all(pool.status.ready for pool in client.pools()), "every pool is ready")

    def close(self) -> None:
        """End every process of the cell, tasks too."""
        for process in (*self.launchers.values(), self.service):
            if process is not None and process.is_alive():
                process.kill()
        assert kill_processes_with(CELL_VARIABLE, str(self.folder)), "a process could not be killed"


@contextmanager
def a_cell(folder: Path, *pools: Mapping[str, object], options: Sequence[str] = ()) -> Iterator[Cell]:
    """A cell of these pools that has not been started yet."""
    cell = Cell(folder, f"--fleet={write_fleet(folder, pools)}", *options)
    try:
        yield cell
    finally:
        cell.close()


@contextmanager
def a_running_cell(folder: Path, *pools: Mapping[str, object], options: Sequence[str] = ()) -> Iterator[Cell]:
    """A cell whose service and launchers run and whose pools are ready."""
    with a_cell(folder, *pools, options=options) as cell:
        cell.start_service()
        for launcher_id in sorted({str(pool["launcher_id"]) for pool in pools}):
            cell.start_launcher(launcher_id)
        cell.wait_until_ready()
        yield cell


def a_pool(pool_id: str, *, accelerator: str = "h100", nodes: int = 2, **fields: object) -> dict[str, object]:
    """A pool of a fleet file: owned nodes of 8 devices, unless said otherwise."""
    return {
        "id": pool_id,
        "accelerator": accelerator,
        "provider": "own",
        "region": "us-ashburn",
        "market": "reserved",
        "node_groups": [{"nodes": nodes, "devices_per_node": 8}],
        "price_usd_per_accelerator_hour": 1,
        "launcher_id": LAUNCHER,
        **fields,
    }


def write_fleet(folder: Path, pools: Sequence[Mapping[str, object]]) -> Path:
    """A fleet file; JSON is YAML."""
    path = folder / "fleet.yaml"
    path.write_text(json.dumps({"pools": list(pools)}))
    return path


def wait_until(look: Callable[[], T], what: str, *, within_s: float = WITHIN_S) -> T:
    """What `look` gives, once that is true."""
    end_s = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < end_s, f"not within {within_s} s: {what}; last seen: {seen!r}"
        time.sleep(LOOK_S)
    return seen


def is_alive(process_id: int) -> bool:
    """Whether a process exists that is no zombie."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


def planners_of(process_id: int) -> list[int]:
    """The planner processes of a service."""
    return [child for child in _children(process_id) if "scheduler.planner_process" in _command(child)]


def _children(process_id: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        tasks = Path(f"/proc/{process_id}/task").iterdir()
        return [int(word) for task in tasks for word in (task / "children").read_text().split()]
    return []


def _command(process_id: int) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{process_id}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
