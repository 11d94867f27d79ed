"""The command `placewright-launcher`."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

from placewright.errors import InvalidRequest
from placewright.launcher.calls import Access
from placewright.launcher.local import LocalBackend, LocalOptions
from placewright.launcher.log import log
from placewright.launcher.notes import StateDirectoryInUse
from placewright.launcher.runtime import LauncherRuntime
from placewright.launcher.waiting import TimeIsUp, in_time
from placewright.settings import (
    ADDRESS_DEFAULT,
    OUTAGE_S_MAX_DEFAULT,
    TIMEOUT_S_DEFAULT,
    Settings,
    Tls,
    resolve,
)

DESCRIPTION = """\
Starts and stops the runs of the pools whose spec names this launcher.

The local backend starts each task as a process of this machine, whatever accelerators
the pool claims to have. A task finds who it is in PLACEWRIGHT_RUN_ID, PLACEWRIGHT_RUN_TOKEN,
PLACEWRIGHT_RUN_NUMBER, PLACEWRIGHT_JOB_ID, PLACEWRIGHT_JOB_NAME, PLACEWRIGHT_REPLICA_INDEX,
PLACEWRIGHT_TASK_INDEX, PLACEWRIGHT_TASK_COUNT, PLACEWRIGHT_NODE, PLACEWRIGHT_DEVICES,
PLACEWRIGHT_POOL_ID and PLACEWRIGHT_ACCELERATOR."""

EPILOG = """\
example:
  placewright-launcher --launcher-id laptop --state-dir ~/.placewright/laptop

On SIGTERM or SIGINT the launcher ends and the tasks go on; the next launcher with the same
state directory adopts them. Under systemd this needs KillMode=process. Tasks of a pool with
self_fencing stop by themselves before the launcher lease ends, even when the launcher was killed;
where also their supervisors may be killed, only KillMode=control-group ends what tasks started,
at the price that all tasks end with the launcher.
With --stop-tasks-on-exit, offers that arrive while the tasks stop are not claimed; the service
goes on taking the pools for ready until the launcher has ended.
What tasks print is in STATE_DIR/logs/<run id>/task-<index>.log, without a limit of size."""


def main(arguments: list[str] | None = None) -> None:
    """Run the launcher until it is told to end."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        asyncio.run(_serve(options))
    except (StateDirectoryInUse, InvalidRequest, OSError) as error:
        sys.exit(f"placewright-launcher: {error}")


async def _serve(options: argparse.Namespace) -> None:
    settings = _settings(options)
    state_dir = options.state_dir.expanduser().absolute()
    backend = LocalBackend(state_dir, options=_local_options(options))
    runtime = LauncherRuntime(
        settings.address,
        options.launcher_id,
        backend=backend,
        state_dir=state_dir,
        access=_access(options, settings),
    )
    is_told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, is_told_to_end.set)
    serving = asyncio.ensure_future(runtime.run())
    told = asyncio.ensure_future(is_told_to_end.wait())
    try:
        await asyncio.wait((serving, told), return_when=asyncio.FIRST_COMPLETED)
        if options.stop_tasks_on_exit and not serving.done():
            await _drain(runtime, timeout_s=options.stop_timeout)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
    finally:
        told.cancel()
        backend.close()


async def _drain(runtime: LauncherRuntime, *, timeout_s: float) -> None:
    try:
        await in_time(runtime.drain(), timeout_s)
    except TimeIsUp:
        log.error("runs_not_stopped_in_time timeout_s=%s", timeout_s)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="placewright-launcher",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="where the service answers, or several replicas with commas between "
        f"(default: $PLACEWRIGHT_ADDRESS or {ADDRESS_DEFAULT})",
    )
    parser.add_argument(
        "--launcher-id",
        required=True,
        metavar="ID",
        help="the launcher_id in the specs of the pools to serve; one host, one id",
    )
    parser.add_argument(
        "--state-dir",
        required=True,
        type=Path,
        metavar="DIR",
        help="notes, logs and supervisors' files; keep it as long as the launcher id lives",
    )
    parser.add_argument("--backend", choices=["local"], default="local", help="how runs are started")
    parser.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="least important events to log, one line each, on standard error",
    )
    _add_access(parser.add_argument_group("access"))
    _add_local(parser.add_argument_group("local backend"))
    return parser


def _add_access(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="bearer token; read again for each call, so that it may be replaced (else: $PLACEWRIGHT_TOKEN)",
    )
    group.add_argument(
        "--tls",
        action=argparse.BooleanOptionalAction,
        help="whether to speak TLS (default: $PLACEWRIGHT_TLS, or when a certificate is given)",
    )
    group.add_argument("--ca-file", metavar="FILE", help="PEM: who may sign the service's certificate")
    group.add_argument("--certificate-file", metavar="FILE", help="PEM: the launcher's own, for mutual TLS")
    group.add_argument("--key-file", metavar="FILE", help="PEM: its private key")


def _add_local(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--working-directory",
        type=Path,
        default=Path.cwd(),
        metavar="DIR",
        help="where tasks start (default: here)",
    )
    group.add_argument(
        "--tasks-per-run-max",
        type=int,
        default=256,
        metavar="N",
        help="a run with more tasks ends as INFRASTRUCTURE and starts none (default: %(default)s)",
    )
    group.add_argument(
        "--logs-kept-runs",
        type=int,
        default=100,
        metavar="N",
        help="ended runs whose logs are kept, the newest (default: %(default)s)",
    )
    group.add_argument(
        "--stop-tasks-on-exit",
        action="store_true",
        help="stop all runs and report them before ending, instead of leaving the tasks alone",
    )
    group.add_argument(
        "--stop-timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long that may take (default: %(default)s)",
    )


def _access(options: argparse.Namespace, settings: Settings) -> Access:
    token_file: Path | None = options.token_file
    if token_file is not None:
        return Access(token=lambda: _token_of(token_file), tls=settings.tls)
    return Access(token=(lambda: settings.token) if settings.token else None, tls=settings.tls)


def _settings(options: argparse.Namespace) -> Settings:
    """Address, token and TLS from the options, the variables of all clients, and defaults."""
    certificates = Tls(
        ca_file=options.ca_file, certificate_file=options.certificate_file, key_file=options.key_file
    )
    has_certificates = certificates != Tls()
    return resolve(
        options.address,
        token=None if options.token_file is None else _token_of(options.token_file),
        tls=certificates if has_certificates and options.tls is not False else options.tls,
        timeout_s=TIMEOUT_S_DEFAULT,
        outage_s_max=OUTAGE_S_MAX_DEFAULT,
    )


def _token_of(file: Path) -> str:
    return file.read_text().strip()


def _local_options(options: argparse.Namespace) -> LocalOptions:
    return LocalOptions(
        working_directory=options.working_directory.absolute(),
        tasks_per_run_max=options.tasks_per_run_max,
        logs_kept_runs=options.logs_kept_runs,
    )


if __name__ == "__main__":
    main()
