"""A real service with the sample fleet and a real local launcher, each a process of its own."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE_FLEET = ROOT / "deploy/fleets/sample.yaml"
READY = re.compile(r"serves (\S+)\s.*metrics at (\S+)", re.DOTALL)
START_S_MAX = 60.0
STOP_S_MAX = 20.0


@dataclass(frozen=True, slots=True)
class RunningService:
    """Where it answers.

    Attributes:
        address: of the API, host:port.
    """

    address: str
    metrics_url: str


@contextmanager
def running_service(folder: Path, *, fleet: Path = SAMPLE_FLEET) -> Iterator[RunningService]:
    """The service with an embedded store below `folder`, and the launcher called local."""
    with ExitStack() as stack:
        serve = [
            "scheduler", "serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0",
            f"--data-dir={folder / 'data'}", "--durability=everysec", f"--fleet={fleet}",
        ]  # fmt: skip
        log = folder / "service.log"
        service = stack.enter_context(_running(serve, log))
        address, metrics_url = _wait_until_ready(service, log)
        launch = [
            "placewright.launcher",
            f"--address={address}",
            "--launcher-id=local",
            "--stop-tasks-on-exit",
        ]
        launch.append(f"--state-dir={folder / 'launcher'}")
        stack.enter_context(_running(launch, folder / "launcher.log"))
        yield RunningService(address, metrics_url)


@contextmanager
def _running(module: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", *module], cwd=ROOT, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(service: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    end = time.monotonic() + START_S_MAX
    while time.monotonic() < end and service.poll() is None:
        told = READY.search(log.read_text())
        if told:
            return told[1].rstrip(";"), told[2]
        time.sleep(0.1)
    raise AssertionError(f"the service did not get ready:\n{log.read_text()[-4000:]}")
