"""A cell over a Redis of one's own: it runs on it, outlives its crash, and refuses one that loses writes."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from placewright import Job, JobPhase
from scheduler.bench.running_cell import STOP_S_MAX, WITHIN_S, a_cell, a_pool, wait_until

REDIS_SERVER = shutil.which("redis-server")
KEEPS_WRITES = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
EXIT_BAD_SETTINGS = 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(REDIS_SERVER is None, reason="redis-server is missing: apt-get install redis-server"),
]


class OwnRedis:
    """A Redis server as an operator would run it, on a socket."""

    def __init__(self, folder: Path, **settings: str) -> None:
        assert REDIS_SERVER is not None
        self._folder = folder
        self.socket = folder / "redis.sock"
        chosen = {"dir": str(folder), "port": "0", "unixsocket": str(self.socket), "save": "", **settings}
        options = [word for name, value in chosen.items() for word in (f"--{name}", value)]
        self._command = [REDIS_SERVER, *options, "--logfile", str(folder / "redis.log")]
        self.start()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, start_new_session=True)
        wait_until(self._answers, "redis-server answers")

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self.socket), retry=Retry(NoBackoff(), 0)) as client:
                return bool(client.ping())
        except redis.exceptions.AuthenticationError:
            return True
        except redis.exceptions.ConnectionError:
            return False


@contextmanager
def own_redis(folder: Path, **settings: str) -> Iterator[OwnRedis]:
    folder.mkdir()
    server = OwnRedis(folder, **settings)
    try:
        yield server
    finally:
        server.kill()


def a_job(name: str) -> Job:
    return Job(name=name, accelerators="h100:1", command=["true"])


def test_jobs_run_over_an_own_redis_and_outlive_its_crash(tmp_path: Path) -> None:
    with own_redis(tmp_path / "redis", **KEEPS_WRITES) as server, a_cell(tmp_path, a_pool("own")) as cell:
        cell.options.append(f"--redis-url={server.url}")
        cell.start_service()
        cell.start_launcher()
        cell.wait_until_ready()
        with cell.client() as client:
            before = client.submit(a_job("before")).wait(timeout=WITHIN_S)
            server.kill()
            server.start()
            after = client.submit(a_job("after")).wait(timeout=WITHIN_S)

            assert (before.phase, after.phase) == (JobPhase.SUCCEEDED, JobPhase.SUCCEEDED)
            assert client.get_job(before.job_id) == before
        assert not (cell.folder / "data").exists()


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        ({"maxmemory-policy": "allkeys-lru"}, "maxmemory-policy of the Redis server must be noeviction"),
        ({"appendonly": "no"}, "appendonly of the Redis server must be yes"),
        ({"appendfsync": "everysec"}, "appendfsync of the Redis server must be always"),
    ],
    ids=["that_evicts", "without_append_only_file", "that_syncs_every_second"],
)
def test_a_redis_is_refused(tmp_path: Path, wrong: dict[str, str], allowed: str) -> None:
    with own_redis(tmp_path / "redis", **{**KEEPS_WRITES, **wrong}) as server:
        refused = serve_over(server.url)

    assert refused.returncode == EXIT_BAD_SETTINGS
    assert allowed in refused.stderr
    assert next(iter(wrong.values())) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_redis_that_is_not_there_is_told(tmp_path: Path) -> None:
    refused = serve_over(f"unix://{tmp_path / 'nothing.sock'}")

    assert refused.returncode == EXIT_BAD_SETTINGS
    assert "nothing.sock" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_password_of_a_redis_is_not_told(tmp_path: Path) -> None:
    with own_redis(tmp_path / "redis", **KEEPS_WRITES, requirepass="hunter2-the-password") as server:
        refused = serve_over(f"unix://:not-{'the-password'}@{server.socket}")

    assert refused.returncode == EXIT_BAD_SETTINGS
    assert "not-the-password" not in refused.stderr
    assert "hunter2" not in refused.stderr


def serve_over(url: str) -> subprocess.CompletedProcess[str]:
    """A service that ends at its start, with the URL from the environment, as secrets come."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLACEWRIGHT_")}
    return subprocess.run(
        [sys.executable, "-m", "scheduler", "serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"],
        env={**inherited, "PLACEWRIGHT_REDIS_URL": url},
        capture_output=True, text=True, timeout=STOP_S_MAX, check=False,
    )  # fmt: skip
