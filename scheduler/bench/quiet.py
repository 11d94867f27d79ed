"""Whether this machine has time for a measurement."""

import os
import time
from pathlib import Path

OTHERS_CORES_MAX = 0.5  # that other processes may use; with more, numbers are about them
LOOK_SECONDS = 1.0


def others_cores() -> float:
    """Cores that are busy now, while this process sleeps."""
    before = _busy_s()
    time.sleep(LOOK_SECONDS)
    return (_busy_s() - before) / LOOK_SECONDS


def _busy_s() -> float:
    """CPU seconds of the whole machine that were not idle, until now."""
    user, nice, system, _idle, _io_wait, irq, soft_irq = (
        int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:8]
    )
    return (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")
