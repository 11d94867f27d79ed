"""The bundled local launcher: each task of a run is a real process of this machine.

A pool's nodes are names and its devices numbers here: the tasks learn theirs from PLACEWRIGHT_NODE and
PLACEWRIGHT_DEVICES, and no two live runs have a device of a node in common. Each run has a supervisor
(`supervisor.py`) that outlives the launcher, so that a launcher can be replaced without disturbing the
runs, and that stops a self-fencing run in time when the launcher lease runs out.

Files: `local/<run id>/` belongs to the supervisor and goes when the service has released the run;
`logs/<run id>/task-<index>.log` has what a task wrote, unbounded while it runs, kept for the newest runs.
After a loss of power, which no process survives, a file there that cannot be read is as good as none.
"""

import asyncio
import contextlib
import json
import marshal
import os
import shutil
import signal
import sys
import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from placewright.launcher import supervisor
from placewright.launcher.backend import (
    ABSENT,
    RUNNING,
    STARTING,
    Observation,
    StartRefused,
    StartRequest,
    end_reason_name,
    end_reason_named,
    ended,
)
from placewright.launcher.devices import DeviceLedger, TaskDevices, only_group
from placewright.launcher.files import write_atomically
from placewright.launcher.hints import Hints
from placewright.launcher.log import log
from placewright.launcher.processes import Process, kill_processes_with
from placewright.v1.job_pb2 import EndReason

THREADS = 4
NS_PER_S = 1_000_000_000
SUPERVISOR_START_NS_MAX = 2 * NS_PER_S
VOID = "0 void"
NO_PROCESS = Process(pid=0, start_time="")
PYTHON_FLAGS = ("-I", "-S")  # no site directory: a supervisor starts in half the time


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """How the local launcher runs tasks.

    Attributes:
        working_directory: of the tasks.
        tasks_per_run_max: a run with more ends as INFRASTRUCTURE: thousands of processes would do harm.
        logs_kept_runs: released runs whose logs are kept, the newest.
    """

    working_directory: Path = field(default_factory=Path.cwd)
    tasks_per_run_max: int = 256
    logs_kept_runs: int = 100


class LocalBackend:
    """Starts runs as processes of this machine."""

    is_self_fencing = True

    def __init__(self, state_dir: Path, *, options: LocalOptions | None = None) -> None:
        self._options = options or LocalOptions()
        self._runs_dir = state_dir / "local"
        self._logs_dir = state_dir / "logs"
        for directory in (self._runs_dir, self._logs_dir):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._hints = Hints(state_dir / "hints")
        self._ledger = DeviceLedger()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="local-backend")
        self._clearing_logs = threading.Lock()
        self._spawned: dict[str, int] = {}
        self._restore_devices()

    # --- Backend ---

    async def start(self, run: StartRequest) -> None:
        """Start the run's supervisor, which starts the tasks."""
        tasks = only_group(run.placement).tasks
        if tasks > self._options.tasks_per_run_max:
            raise StartRefused(
                f"the local launcher starts at most {self._options.tasks_per_run_max} tasks of a run"
                f" (--tasks-per-run-max), got {tasks}"
            )
        devices = self._ledger.take(run.run_id, run.placement, pool=run.pool)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._spawn, run, devices)

    async def stop(self, run_id: str, *, reason: EndReason, grace_s: float) -> None:
        """Leave the supervisor its order and wake it."""
        kill_at_ns = supervisor.now_ns() + int(grace_s * NS_PER_S)
        directory = self._runs_dir / run_id
        if directory.is_dir():
            write_atomically(directory / "stop", f"{end_reason_name(reason)} {kill_at_ns}\n".encode())
            process = self._supervisor(directory)
            if process is not None:
                process.signal(signal.SIGUSR1)

    async def observe(self, run_id: str) -> Observation:
        """How the run is found, from its files and its supervisor's process."""
        loop = asyncio.get_running_loop()
        observation = await loop.run_in_executor(self._threads, self._observe, run_id)
        if observation.end is not None or observation is ABSENT:
            self._ledger.release(run_id)
        return observation

    async def next_changes(self, run_ids: Collection[str]) -> Collection[str]:
        """Wait for hints of supervisors; now and then all runs, for supervisors that died."""
        hinted = await self._hints.next()
        return hinted or run_ids

    async def forget(self, run_id: str) -> None:
        """Delete the run's files but its logs, and the oldest logs; what cannot be deleted now stays."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, self._forget, run_id)
        except OSError:
            log.exception("remains_not_cleared run_id=%s", run_id)

    def close(self) -> None:
        """Free what this process holds; the runs go on."""
        self._hints.close()
        self._threads.shutdown()

    # --- start ---

    def _spawn(self, run: StartRequest, devices: tuple[TaskDevices, ...]) -> None:
        directory = self._runs_dir / run.run_id
        directory.mkdir(mode=0o700, exist_ok=True)
        (self._logs_dir / run.run_id).mkdir(mode=0o700, exist_ok=True)
        allocation = {
            "pool_id": run.pool_id,
            "tasks": [[task.node, list(task.devices)] for task in devices],
            "spawned_at_ns": supervisor.now_ns(),
        }
        write_atomically(directory / "devices", json.dumps(allocation).encode())
        spec = marshal.dumps(self._spec(run, devices))
        receiver, sender = os.pipe()
        try:
            self._spawned[run.run_id] = self._spawn_supervisor(
                directory, run_id=run.run_id, standard_input=receiver
            )
        finally:
            os.close(receiver)
            with os.fdopen(sender, "wb") as file:
                if run.run_id in self._spawned:
                    file.write(spec)

    def _spawn_supervisor(self, directory: Path, *, run_id: str, standard_input: int) -> int:
        output = str(directory / "supervisor.log")
        return os.posix_spawn(
            sys.executable,
            [sys.executable, *PYTHON_FLAGS, supervisor.__file__, str(directory)],
            {
                **_own_environment(),
                "PLACEWRIGHT_RUN_ID": run_id,
                "PLACEWRIGHT_RUN_DIRECTORY": str(directory),
            },
            file_actions=[
                (os.POSIX_SPAWN_DUP2, standard_input, 0),
                (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def _spec(self, run: StartRequest, devices: tuple[TaskDevices, ...]) -> dict[str, object]:
        """What the supervisor reads from its standard input."""
        fence = run.fence
        return {
            "run_id": run.run_id,
            "command": list(run.command),
            "env": self._common_environment(run),
            "working_directory": str(self._options.working_directory),
            "grace_s": run.grace_s,
            "hints_file": str(self._hints.path),
            "lease_file": str(fence.lease_file) if fence else "",
            "lease_epoch": fence.epoch if fence else 0,
            "tasks": [
                {
                    "log": str(self._logs_dir / run.run_id / f"task-{index}.log"),
                    "env": {
                        "PLACEWRIGHT_TASK_INDEX": str(index),
                        "PLACEWRIGHT_NODE": task.node or "",
                        "PLACEWRIGHT_DEVICES": ",".join(map(str, task.devices)),
                    },
                }
                for index, task in enumerate(devices)
            ],
        }

    def _common_environment(self, run: StartRequest) -> dict[str, str]:
        """The launcher's own environment, the payload's, and the run's facts; later ones win."""
        facts = {
            "RUN_ID": run.run_id,
            "RUN_TOKEN": str(run.run_token),
            "RUN_NUMBER": str(run.run_number),
            "RUN_DIRECTORY": str(self._runs_dir / run.run_id),
            "JOB_ID": run.job_id,
            "JOB_NAME": run.job_name,
            "REPLICA_INDEX": str(run.replica_index),
            "TASK_COUNT": str(only_group(run.placement).tasks),
            "POOL_ID": run.pool_id,
            "ACCELERATOR": run.placement.assignments[0].accelerator,
        }
        return {
            **_own_environment(),
            **run.env,
            **{f"PLACEWRIGHT_{name}": value for name, value in facts.items()},
        }

    def _restore_devices(self) -> None:
        for directory in self._runs_dir.iterdir():
            saved = None if (directory / "exit").exists() else _allocation(directory)
            if saved is not None:
                self._ledger.restore(directory.name, saved.pool_id, tasks=saved.tasks)

    # --- observe ---

    def _observe(self, run_id: str) -> Observation:
        directory = self._runs_dir / run_id
        if not directory.is_dir():
            return ABSENT if kill_processes_with("PLACEWRIGHT_RUN_ID", run_id) else RUNNING
        is_spawned = self._is_spawned_supervisor_alive(run_id)
        process = self._supervisor(directory)
        is_alive = process is not None and process.is_alive
        is_running = (directory / "running").exists()
        cause = supervisor.exit_record(str(directory / "exit"))
        if cause is not None:  # read after looking at the process, which writes it before it ends
            return _observation_of_exit(*cause)
        if is_alive or (process is None and (is_spawned or _is_just_spawned(directory))):
            return RUNNING if is_running else STARTING
        if process is None and supervisor.link_identity(str(directory), VOID):
            return ABSENT
        if process is None:
            return STARTING  # a supervisor came in between
        log.error("supervisor_died run_id=%s pid=%d output=%r", run_id, process.pid, _last_words(directory))
        return ABSENT if kill_processes_with("PLACEWRIGHT_RUN_DIRECTORY", str(directory)) else RUNNING

    def _is_spawned_supervisor_alive(self, run_id: str) -> bool:
        """Whether the supervisor that this process spawned lives; reaps it when it has ended."""
        pid = self._spawned.get(run_id)
        if pid is None:
            return False
        with contextlib.suppress(ChildProcessError):  # reaped by another thread
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                return True
        self._spawned.pop(run_id, None)
        return False

    def _supervisor(self, directory: Path) -> Process | None:
        """The supervisor that made the run its own, alive or not."""
        try:
            pid, started = (directory / "supervisor").read_bytes().decode().split()
            return Process(pid=int(pid), start_time=started)
        except FileNotFoundError:
            return None
        except ValueError:
            return NO_PROCESS

    def _forget(self, run_id: str) -> None:
        pid = self._spawned.pop(run_id, None)
        if pid is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        shutil.rmtree(self._runs_dir / run_id, ignore_errors=True)
        with self._clearing_logs:
            self._clear_logs()

    def _clear_logs(self) -> None:
        """Delete the oldest logs of runs that are no more."""
        logs = list(self._logs_dir.iterdir())  # before the runs: one that is started now has its run by then
        live = {directory.name for directory in self._runs_dir.iterdir()}
        old = [directory for directory in logs if directory.name not in live]
        old.sort(key=_changed_at_ns, reverse=True)
        for directory in old[self._options.logs_kept_runs :]:
            shutil.rmtree(directory, ignore_errors=True)


def _changed_at_ns(path: Path) -> int:
    """When a file was changed; 0 when somebody has deleted it."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _last_words(directory: Path) -> str:
    """The end of what the supervisor printed."""
    try:
        return (directory / "supervisor.log").read_text(errors="replace")[-500:]
    except OSError:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What is saved of a run for the next launcher."""

    pool_id: str
    tasks: tuple[TaskDevices, ...]
    spawned_at_ns: int


def _allocation(directory: Path) -> Allocation | None:
    """The devices that a run got; None when they were not saved or cannot be read."""
    file = directory / "devices"
    try:
        saved = json.loads(file.read_bytes())
        return Allocation(
            pool_id=str(saved["pool_id"]),
            tasks=tuple(_task_devices(node, devices) for node, devices in saved["tasks"]),
            spawned_at_ns=int(saved["spawned_at_ns"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("devices_not_readable run_id=%s reason=%r", directory.name, str(error))
        return None


def _is_just_spawned(directory: Path) -> bool:
    """Whether a launcher that is gone may have left a supervisor that has not got going yet."""
    saved = _allocation(directory)
    spawned_at_ns = saved.spawned_at_ns if saved is not None else 0
    return 0 <= supervisor.now_ns() - spawned_at_ns < SUPERVISOR_START_NS_MAX


def _task_devices(node: str | int | None, devices: list[int]) -> TaskDevices:
    """What was saved of a task; earlier launchers saved the node's number, which is its name now."""
    return TaskDevices(node=None if node is None else str(node), devices=tuple(devices))


def _own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PLACEWRIGHT_")}


def _observation_of_exit(outcome: str, detail: str, message: str) -> Observation:
    match outcome:
        case "succeeded":
            return ended(EndReason.END_REASON_SUCCEEDED)
        case "failed":
            return ended(EndReason.END_REASON_USER_ERROR, exit_code=int(detail), message=message)
        case "stopped":
            return ended(end_reason_named(detail), message=message)
        case _:
            return ended(EndReason.END_REASON_INFRASTRUCTURE, message=message)
