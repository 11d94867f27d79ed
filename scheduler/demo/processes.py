"""The processes of the demo: a whole service and a launcher, as a user would start them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS_MAX = 20


class DemoFailed(Exception):
    """A part did not start; the message says where its log is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Where the service of the demo answers."""

    address: str
    metrics_url: str


@contextmanager
def service(work_dir: Path, fleet: Path) -> Iterator[Running]:
    """A service on free ports with an embedded Valkey in the work directory."""
    command = [
        "-m", "scheduler", "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
        "--data-dir", str(work_dir / "state"), "--fleet", str(fleet),
    ]  # fmt: skip
    with _process(command, work_dir / "service.log") as process:
        assert process.stdout is not None
        address = _said(process.stdout.readline(), "placewright serves ", work_dir / "service.log")
        metrics_url = _said(process.stdout.readline(), "metrics at ", work_dir / "service.log")
        yield Running(address=address, metrics_url=metrics_url)


@contextmanager
def launcher(work_dir: Path, address: str) -> Iterator[None]:
    """A local launcher for the pools that name it; its tasks stop with it."""
    command = [
        "-m", "placewright.launcher", "--backend", "local", "--launcher-id", "local",
        "--address", address, "--state-dir", str(work_dir / "launcher"), "--stop-tasks-on-exit",
    ]  # fmt: skip
    with _process(command, work_dir / "launcher.log"):
        yield


def _said(line: str, prefix: str, log: Path) -> str:
    if not line.startswith(prefix):
        tail = log.read_text(errors="replace")[-2_000:]
        raise DemoFailed(f"the service did not start; {log} ends with:\n{tail}")
    return line.removeprefix(prefix).strip()


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[str]]:
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
