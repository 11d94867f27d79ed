"""Processes of this machine, told apart by number and start time, so that a reused number does no harm."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from placewright.launcher.supervisor import start_time

KILL_PAUSE_S = 0.01
KILL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process, alive or not."""

    pid: int
    start_time: str

    @property
    def is_alive(self) -> bool:
        return self.start_time != "" and start_time(self.pid) == self.start_time

    def signal(self, number: int) -> None:
        """Send a signal, unless it is gone."""
        if not self.is_alive:
            return
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.is_alive:
                signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)


def kill_processes_with(variable: str, value: str) -> bool:
    """Kill every process that was started with an environment variable; whether none is left."""
    deadline_s = time.monotonic() + KILL_TIMEOUT_S
    while found := list(processes_with(variable, value)):
        if time.monotonic() > deadline_s:
            return False
        for process in found:
            process.signal(signal.SIGKILL)
        time.sleep(KILL_PAUSE_S)  # nothing tells when a process that is no child is gone
    return True


def processes_with(variable: str, value: str) -> Iterator[Process]:
    """The processes that were started with an environment variable, but for this one."""
    wanted = b"\0" + f"{variable}={value}".encode() + b"\0"
    for directory in Path("/proc").iterdir():
        if not directory.name.isdecimal() or directory.name == str(os.getpid()):
            continue
        try:
            environment = b"\0" + (directory / "environ").read_bytes() + b"\0"
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
        if wanted in environment:
            process = Process(pid=int(directory.name), start_time=start_time(int(directory.name)))
            if process.is_alive:
                yield process
