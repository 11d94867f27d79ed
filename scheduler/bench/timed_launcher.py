"""A launcher process of the benchmarks: the bundled runtime over runs that are only times."""

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from placewright.launcher.runtime import LauncherRuntime
from scheduler.bench.ledger import Ledger
from scheduler.bench.timed_backend import TimedBackend


def main() -> None:
    parser = argparse.ArgumentParser(prog="timed_launcher")
    for name in ("address", "launcher-id"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("state-dir", "ledger"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    runtime = LauncherRuntime(
        options.address,
        options.launcher_id,
        backend=TimedBackend(Ledger(options.ledger)),
        state_dir=options.state_dir,
    )
    serving = asyncio.ensure_future(runtime.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    main()
