"""A launcher process that kills itself at a step of a start: ADDRESS STATE_DIR STEP."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from placewright.launcher.local import LocalBackend, LocalOptions
from placewright.launcher.runtime import LauncherRuntime
from placewright.launcher.tuning import Step, Tuning
from tests.unit.launcher.launcher_builders import LAUNCHER


async def launch(address: str, state_dir: Path, crash_at: str) -> None:
    def at_step(step: Step, _run_id: str) -> None:
        if step.value == crash_at:
            os.kill(os.getpid(), signal.SIGKILL)

    backend = LocalBackend(state_dir, options=LocalOptions(working_directory=state_dir))
    tuning = Tuning(retry_s_min=0.02, retry_s_max=0.2, at_step=at_step)
    await LauncherRuntime(address, LAUNCHER, backend=backend, state_dir=state_dir, tuning=tuning).run()


asyncio.run(launch(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
