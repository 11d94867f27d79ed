"""The whole service, from PLACEWRIGHT_* variables, and Echo beside it: a process of the benchmark."""

import asyncio
import os

import uvloop

from scheduler.app import Addresses, Share, serve
from scheduler.bench.messages import echo_handler
from scheduler.settings import load_settings
from scheduler.telemetry.logs import configure_logs


def main() -> None:
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    settings = load_settings()
    configure_logs(settings.log_level)

    def ready(addresses: Addresses) -> None:
        print(addresses.grpc, flush=True)  # noqa: T201  (to the benchmark)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, Share.ALL, on_ready=ready, more_handlers=(echo_handler(),)))


if __name__ == "__main__":
    main()
