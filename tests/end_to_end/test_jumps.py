"""A wrong price, and a launcher that reports no capacity: what the brakes do, and what a user is shown."""

import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import grpc
import pytest

from placewright import Client, Job, JobHandle, PoolSpec
from placewright.v1 import job_pb2
from placewright.v1 import launcher_service_pb2 as wire
from placewright.v1.launcher_service_pb2_grpc import LauncherServiceStub
from scheduler.bench.running_cell import (
    LAUNCHER,
    WITHIN_S,
    Cell,
    a_pool,
    a_running_cell,
    is_alive,
    wait_until,
)

pytestmark = pytest.mark.slow

POOL = "own"
NODES = 4
OK, REFUSED = 0, 6
RUNS_ON = ["sh", "-c", 'echo $$ > "$SAID"; exec sleep 600']


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    """A rented pool of 32 accelerators at $0.90."""
    pool = a_pool(
        POOL, nodes=NODES, market="on_demand", limit_accelerators=32, price_usd_per_accelerator_hour=0.9
    )
    with a_running_cell(tmp_path, pool) as running:
        yield running


@pytest.fixture
def client(cell: Cell) -> Iterator[Client]:
    with cell.client() as opened:
        yield opened


def shown(cell: Cell, *arguments: str, code: int = OK) -> str:
    """What the command line prints, on stdout and stderr."""
    ended = subprocess.run(
        [sys.executable, "-m", "placewright.cli", *arguments],
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
        env={**cell.environment, "PLACEWRIGHT_ADDRESS": cell.address},
    )  # fmt: skip
    sys.stdout.write(f"$ placewright {' '.join(arguments)}\n{ended.stdout}{ended.stderr}")
    assert ended.returncode == code, ended
    return ended.stdout + ended.stderr


def metric(cell: Cell, what: str) -> str:
    """The value of the gauge of unconfirmed jumps, as it is exported."""
    with urlopen(cell.metrics_url) as answer:
        lines = answer.read().decode().splitlines()
    name = f'placewright_pool_jumps_unconfirmed{{pool="{POOL}",what="{what}"}} '
    return next((line.removeprefix(name) for line in lines if line.startswith(name)), "")


def spec_at(client: Client, price_usd: float) -> PoolSpec:
    """The pool's spec with another price."""
    micros = round(price_usd * 1_000_000)
    return replace(client.get_pool(POOL).spec, price_usd_micros_per_accelerator_hour=micros)


def a_running_job(client: Client, said: Path, name: str = "before") -> JobHandle:
    handle = client.submit(Job(name=name, accelerators="h100:8", command=RUNS_ON, env={"SAID": str(said)}))
    handle.wait("running", timeout=WITHIN_S)
    return handle


def is_deferred(handle: JobHandle, reason: str) -> bool:
    return [deferral.reason for deferral in handle.refresh().deferrals] == [reason]


def charged_usd_per_hour(handle: JobHandle) -> float:
    return handle.refresh().charged_usd_micros_per_hour / 1_000_000


def test_a_price_a_thousand_times_too_high_waits_and_is_withdrawn_or_confirmed(
    cell: Cell, client: Client, tmp_path: Path
) -> None:
    before = a_running_job(client, tmp_path / "before")

    applied = client.apply_pool(POOL, spec_at(client, 900))

    assert [str(jump) for jump in applied.unconfirmed_jumps] == ["price $0.90 -> $900.00"]
    row = shown(cell, "pools").splitlines()[1]
    assert "$0.90" in row
    assert "ready; unconfirmed: price $0.90 -> $900.00" in row
    during = a_running_job(client, tmp_path / "during", "during")
    assert charged_usd_per_hour(during) == pytest.approx(8 * 0.9)
    wait_until(lambda: float(metric(cell, "price") or 0) == 1, "the metric says that a price waits")

    client.apply_pool(POOL, spec_at(client, 0.95))
    assert "unconfirmed" not in shown(cell, "pools")
    assert "nothing to confirm" in shown(cell, "confirm", POOL)

    client.apply_pool(POOL, spec_at(client, 900))
    assert "to confirm: --price" in shown(cell, "confirm", POOL)
    assert "has no capacity to confirm" in shown(cell, "confirm", POOL, "--capacity", code=REFUSED)
    assert f"{POOL}: confirmed" in shown(cell, "confirm", POOL, "--price")
    assert "$900.00" in shown(cell, "pools")
    after = client.submit(Job(name="after", accelerators="h100:8", command=["true"]))
    wait_until(lambda: is_deferred(after, "not_worth_the_price"), "the job after is not worth the price")
    assert "after" in shown(cell, "jobs")
    assert before.refresh().counts.running == during.refresh().counts.running == 1
    assert charged_usd_per_hour(before) == pytest.approx(8 * 0.9)


class BlindLauncher:
    """A launcher that knows its run, and sees none of its nodes until it is told that it does."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self._outgoing: queue.SimpleQueue[wire.AttachRequest | None] = queue.SimpleQueue()
        stub = LauncherServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._answers = stub.Attach(iter(self._outgoing.get, None))  # kept: the stream ends with it
        self._sequence = 0

    def attach(self) -> None:
        """Say the full state: the runs go on, and no node is there."""
        self._say(hello=wire.LauncherHello(launcher_id=LAUNCHER, version="blind"))
        for answer in self._answers:
            match answer.WhichOneof("message"):
                case "desired_run":
                    self._say(run=_still_running(answer.desired_run))
                case "snapshot_end":
                    break
        self._see(nodes=0)
        self._say(snapshot_end=wire.SnapshotEnd())

    def see_all(self) -> None:
        self._see(nodes=NODES)

    def _see(self, nodes: int) -> None:
        away = map(str, range(nodes, NODES))
        self._say(pool_status=wire.LauncherPoolStatus(pool_id=POOL, unavailable_nodes=away))

    def _say(self, **message: object) -> None:
        self._sequence += 1
        self._outgoing.put(wire.AttachRequest(sequence=self._sequence, **message))  # type: ignore[arg-type]  # one of its messages

    def close(self) -> None:
        self._outgoing.put(None)
        self._channel.close()


def _still_running(run: wire.DesiredRun) -> wire.RunReport:
    return wire.RunReport(run_id=run.run_id, run_token=run.run_token, state=job_pb2.RUN_STATE_RUNNING)


@contextmanager
def a_blind_launcher(cell: Cell) -> Iterator[BlindLauncher]:
    """It takes the place of the cell's launcher, whose tasks go on."""
    cell.kill_launcher()
    launcher = BlindLauncher(cell.address)
    try:
        launcher.attach()
        yield launcher
    finally:
        launcher.close()


def unconfirmed(client: Client) -> list[str]:
    return [str(jump) for jump in client.get_pool(POOL).unconfirmed_jumps]


def test_a_launcher_that_reports_no_capacity_stops_nothing_and_gets_nothing_new(
    cell: Cell, client: Client, tmp_path: Path
) -> None:
    running = a_running_job(client, tmp_path / "before")
    task = int((tmp_path / "before").read_text())
    run = running.refresh().replicas[0].run

    with a_blind_launcher(cell) as launcher:
        wait_until(lambda: unconfirmed(client) == ["capacity 32 -> 0"], "the fall is marked")
        assert "8/0" in (row := shown(cell, "pools").splitlines()[1])
        assert "ready; unconfirmed: capacity 32 -> 0" in row
        assert f"capacity 32 -> 0, by {client.get_pool(POOL).unconfirmed_jumps[0].principal}" in shown(
            cell, "confirm", POOL
        )
        waiting = client.submit(Job(name="after", accelerators="h100:8", command=["true"]))
        wait_until(lambda: is_deferred(waiting, "no_capacity"), "it is told why it waits")
        assert "no_capacity" in shown(cell, "job", waiting.job_id)
        wait_until(lambda: float(metric(cell, "capacity") or 0) == 1, "the metric says that a capacity fell")
        assert (running.refresh().replicas[0].run, is_alive(task)) == (run, True)

        assert f"{POOL}: confirmed" in shown(cell, "confirm", POOL, "--capacity")
        assert unconfirmed(client) == []
        assert (running.refresh().replicas[0].run, is_alive(task)) == (run, True)

        launcher.see_all()
        waiting.wait("placed", timeout=WITHIN_S)
        assert "8/0" not in shown(cell, "pools")
        assert (running.refresh().replicas[0].run, is_alive(task)) == (run, True)
