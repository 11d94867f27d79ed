"""The main job with real processes: submitted, placed, run, ended; and what people do meanwhile."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from placewright import (
    AsyncClient,
    Client,
    DeferralReason,
    EndReason,
    Job,
    JobHandle,
    JobPhase,
    JobView,
    NotFound,
    RunState,
)
from scheduler.bench.running_cell import WITHIN_S, Cell, a_pool, a_running_cell, is_alive, wait_until

pytestmark = pytest.mark.slow

LONG = "exec sleep 600"
RESTART_S_MAX = 40.0  # a back-off of 10 s comes first


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    pools = [
        a_pool("us", nodes=4, jurisdiction="us"),
        a_pool("eu", nodes=2, jurisdiction="eu"),
        a_pool("spare", accelerator="h200", nodes=1),
        a_pool("old", accelerator="a100-80gb", nodes=1),
    ]
    with a_running_cell(tmp_path_factory.mktemp("cell"), *pools) as running:
        yield running


@pytest.fixture(scope="module")
def client(cell: Cell) -> Iterator[Client]:
    with cell.client() as opened:
        yield opened


@pytest.fixture(autouse=True)
def cancel_what_a_test_leaves(client: Client) -> Iterator[None]:
    """Give the next test an empty fleet."""
    yield
    for job in client.list_jobs(phase=["pending", "active"]):
        if job.name not in BACKING_OFF:
            client.cancel_job(job.job_id)
            JobHandle(client, job).wait(timeout=WITHIN_S)


def a_job(script: str = LONG, *, name: str = "job", accelerators: str = "h100:1", **fields: object) -> Job:
    """A job whose tasks run a shell script; cancelled, it has a second."""
    given: dict[str, object] = {"grace_period": "1s", "estimated_duration": "1h", **fields}
    if given.get("kind") == "inference":
        given["estimated_duration"] = None
    return Job(name=name, accelerators=accelerators, command=["sh", "-c", script], **given)  # type: ignore[arg-type]  # checked by Job


def outcome(job: JobView) -> tuple[JobPhase, EndReason | None, int | None]:
    """How a job of one replica ended."""
    run = job.replicas[0].run
    assert run is not None, job
    return job.phase, run.end_reason, run.exit_code


# --- one job ---


def test_a_job_is_placed_runs_and_succeeds_through_the_sync_client(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    handle = client.submit(a_job(f"cat {gate}"))
    placed = handle.wait("placed", timeout=WITHIN_S)
    running = handle.wait("running", timeout=WITHIN_S)
    gate.write_text("go on")
    finished = handle.wait(timeout=WITHIN_S)

    assert (placed.phase, running.phase) == (JobPhase.ACTIVE, JobPhase.ACTIVE)
    assert [placement.pool_id for placement in placed.live_placements] in (["us"], ["eu"])
    assert outcome(finished) == (JobPhase.SUCCEEDED, EndReason.SUCCEEDED, None)
    assert finished.live_placements == ()


async def test_a_job_is_placed_runs_and_succeeds_through_the_async_client(cell: Cell, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with AsyncClient(cell.address) as client:
        handle = await client.submit(a_job(f"cat {gate}"))
        await handle.wait("running", timeout=WITHIN_S)
        gate.write_text("go on")
        finished = await handle.wait(timeout=WITHIN_S)
        listed = [job async for job in client.list_jobs(job_ids=[handle.job_id])]
        pools = await client.pools()

    assert outcome(finished) == (JobPhase.SUCCEEDED, EndReason.SUCCEEDED, None)
    assert listed == [finished]
    assert [pool.pool_id for pool in pools] == ["eu", "old", "spare", "us"]


def test_each_task_of_a_gang_learns_who_it_is(client: Client, tmp_path: Path) -> None:
    script = f'env > "{tmp_path}/$PLACEWRIGHT_TASK_INDEX"'
    job = a_job(script, name="gang", accelerators="h100:2x8", pools=["us"], env={"GREETING": "a b\nc"})

    finished = client.submit(job).wait(timeout=WITHIN_S)

    environments = [_environment(tmp_path / str(index)) for index in range(2)]
    run = finished.replicas[0].run
    assert run is not None
    common = {
        "PLACEWRIGHT_RUN_ID": run.run_id,
        "PLACEWRIGHT_RUN_NUMBER": "1",
        "PLACEWRIGHT_RUN_TOKEN": "1",
        "PLACEWRIGHT_JOB_ID": finished.job_id,
        "PLACEWRIGHT_JOB_NAME": "gang",
        "PLACEWRIGHT_REPLICA_INDEX": "0",
        "PLACEWRIGHT_TASK_COUNT": "2",
        "PLACEWRIGHT_POOL_ID": "us",
        "PLACEWRIGHT_ACCELERATOR": "h100",
        "PLACEWRIGHT_DEVICES": "0,1,2,3,4,5,6,7",
        "GREETING": "a b",
    }
    assert [{name: told[name] for name in common} for told in environments] == [common, common]
    assert [told["PLACEWRIGHT_TASK_INDEX"] for told in environments] == ["0", "1"]
    assert len({told["PLACEWRIGHT_NODE"] for told in environments}) == 2


def _environment(file: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in file.read_text().splitlines())
    return {name: value for name, separator, value in lines if separator}


def test_a_failing_job_shows_the_exit_code_of_its_task(client: Client) -> None:
    finished = client.submit(a_job("exit 7")).wait(timeout=WITHIN_S)

    assert outcome(finished) == (JobPhase.FAILED, EndReason.USER_ERROR, 7)


def test_a_gang_ends_when_one_of_its_tasks_fails(client: Client) -> None:
    script = f'test "$PLACEWRIGHT_TASK_INDEX" = 1 && exit 3; {LONG}'

    finished = client.submit(a_job(script, accelerators="h100:2x8")).wait(timeout=WITHIN_S)

    assert outcome(finished) == (JobPhase.FAILED, EndReason.USER_ERROR, 3)


def test_a_job_that_runs_too_long_is_stopped(client: Client) -> None:
    finished = client.submit(a_job(max_duration="1s")).wait(timeout=WITHIN_S)

    assert outcome(finished)[:2] == (JobPhase.FAILED, EndReason.TIMEOUT)


# --- cancel ---


def test_cancel_lets_a_task_end_by_itself(client: Client, tmp_path: Path) -> None:
    ready, said = tmp_path / "ready", tmp_path / "said"
    os.mkfifo(ready)
    script = f"trap 'echo goodbye > {said}; exit 0' TERM; echo > {ready}; while :; do sleep 0.05; done"
    handle = client.submit(a_job(script, grace_period="20s"))
    ready.read_text()

    handle.cancel("not needed")
    finished = handle.wait(timeout=WITHIN_S)

    assert outcome(finished)[:2] == (JobPhase.CANCELLED, EndReason.CANCELLED)
    assert said.read_text() == "goodbye\n"


def test_cancel_kills_a_task_that_does_not_end_within_its_grace(client: Client, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    script = f"trap '' TERM; echo $$ > {ready}; while :; do sleep 0.05; done"
    handle = client.submit(a_job(script, grace_period="1s"))
    process_id = int(ready.read_text())

    handle.cancel()
    finished = handle.wait(timeout=WITHIN_S)

    assert outcome(finished)[:2] == (JobPhase.CANCELLED, EndReason.CANCELLED)
    assert not is_alive(process_id)


def test_a_waiting_job_is_cancelled_without_a_run(client: Client) -> None:
    handle = client.submit(a_job(accelerators="h100:512"))

    handle.cancel()
    finished = handle.wait(timeout=WITHIN_S)

    assert finished.phase is JobPhase.CANCELLED
    assert finished.replicas == () or finished.replicas[0].run is None


# --- where ---


def test_residency_keeps_a_job_in_its_jurisdiction(client: Client) -> None:
    handles = [client.submit(a_job(accelerators="h100:8", residency=["eu"])) for _ in range(2)]

    placed = [handle.wait("placed", timeout=WITHIN_S) for handle in handles]

    assert [job.live_placements[0].pool_id for job in placed] == ["eu", "eu"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"accelerators": "h100:512"}, DeferralReason.FITS_NO_POOL),
        ({"residency": ["mars"]}, DeferralReason.FITS_NO_POOL),
        ({"accelerators": "h200:8"}, DeferralReason.NO_CAPACITY),
    ],
    ids=["larger_than_the_fleet", "in_no_jurisdiction_of_the_fleet", "what_it_needs_is_in_use"],
)
def test_a_waiting_job_says_why(client: Client, fields: dict[str, str], reason: DeferralReason) -> None:
    client.submit(a_job(name="holds-the-spare-pool", accelerators="h200:8")).wait("running", timeout=WITHIN_S)

    handle = client.submit(a_job(**fields))

    assert wait_until(lambda: _reason(handle), "a reason other than not planned yet") is reason
    assert handle.refresh().phase is JobPhase.PENDING
    assert str(handle.job.deferrals[0])


def _reason(handle: JobHandle) -> DeferralReason | None:
    reasons = [deferral.reason for deferral in handle.refresh().deferrals]
    return reasons[0] if reasons and reasons[0] is not DeferralReason.NOT_PLANNED_YET else None


def test_no_two_live_runs_share_a_device_of_a_node(client: Client, tmp_path: Path) -> None:
    script = f'env > "{tmp_path}/$PLACEWRIGHT_RUN_ID-$PLACEWRIGHT_TASK_INDEX"; {LONG}'
    sizes = ["h100:4", "h100:2", "h100:1", "h100:8", "h100:2x4", "h100:2", "h100:1"]

    for size in sizes:
        client.submit(a_job(script, accelerators=size, pools=["us"])).wait("running", timeout=WITHIN_S)
    tasks = len(sizes) + 1
    wait_until(lambda: _files_with_devices(tmp_path) == tasks, "every task has said what it has")

    used = [device for file in tmp_path.iterdir() for device in _devices(file)]
    assert len(used) == len(set(used)) == 4 + 2 + 1 + 8 + 8 + 2 + 1


def _files_with_devices(folder: Path) -> int:
    return sum("PLACEWRIGHT_DEVICES=" in file.read_text() for file in folder.iterdir())


def _devices(file: Path) -> list[tuple[str, str, int]]:
    told = _environment(file)
    devices = told["PLACEWRIGHT_DEVICES"].split(",")
    return [(told["PLACEWRIGHT_POOL_ID"], told["PLACEWRIGHT_NODE"], int(device)) for device in devices]


# --- pools ---


def test_a_cordoned_pool_takes_nothing_new_until_it_is_uncordoned(client: Client) -> None:
    before = client.submit(a_job(accelerators="h200:4"))
    before.wait("running", timeout=WITHIN_S)

    cordoned = client.cordon_pool("spare", "new firmware")
    after = client.submit(a_job(accelerators="h200:4"))
    reason = wait_until(lambda: _reason(after), "a reason other than not planned yet")
    uncordoned = client.uncordon_pool("spare")

    assert reason is DeferralReason.POOL_NOT_READY
    assert cordoned.cordon is not None
    assert (cordoned.cordon.reason, uncordoned.cordon) == ("new firmware", None)
    assert before.refresh().counts.running == 1
    after.wait("running", timeout=WITHIN_S)


def test_a_deleted_pool_goes_away_when_its_last_run_has_ended(client: Client) -> None:
    spec = client.get_pool("spare").spec
    client.apply_pool("short-lived", spec)
    wait_until(lambda: client.get_pool("short-lived").status.ready, "the launcher serves the new pool")
    handle = client.submit(a_job(accelerators="h200:8", pools=["short-lived"]))
    handle.wait("running", timeout=WITHIN_S)

    deleting = client.delete_pool("short-lived")
    handle.cancel()
    handle.wait(timeout=WITHIN_S)

    assert deleting.deleting
    wait_until(lambda: all(pool.pool_id != "short-lived" for pool in client.pools()), "the pool is gone")
    with pytest.raises(NotFound):
        client.get_pool("short-lived")


def test_usage_follows_runs(client: Client) -> None:
    handle = client.submit(a_job(accelerators="h200:4"))
    handle.wait("running", timeout=WITHIN_S)
    during = client.get_pool("spare").usage
    handle.cancel()
    handle.wait(timeout=WITHIN_S)
    after = client.get_pool("spare").usage

    assert (during.accelerators, during.accelerators_used, during.runs) == (8, 4, 1)
    assert (after.accelerators_used, after.runs) == (0, 0)


def test_a_run_whose_process_is_killed_from_outside_is_the_jobs_own_failure(
    client: Client, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    handle = client.submit(a_job(f"echo $$ > {ready}; {LONG}"))
    process_id = int(ready.read_text())
    handle.wait("running", timeout=WITHIN_S)

    os.kill(process_id, signal.SIGKILL)
    finished = handle.wait(timeout=WITHIN_S)

    assert outcome(finished) == (JobPhase.FAILED, EndReason.USER_ERROR, 128 + signal.SIGKILL)
    assert finished.replicas[0].run is not None
    assert finished.replicas[0].run.state is RunState.ENDED


def test_what_a_job_runs_is_in_no_answer(client: Client) -> None:
    handle = client.submit(a_job("true # the-payload", env={"NOTE": "the-payload"}))

    finished = handle.wait(timeout=WITHIN_S)

    assert "the-payload" not in json.dumps(str(finished))


# --- services and retries; their back-offs pass while the other tests run ---

BACKING_OFF = ("restarting", "flaky")


@pytest.fixture(scope="module", autouse=True)
def restarting(client: Client) -> JobHandle:
    """A service of two replicas; the run with number 1 of replica 0 exits at once."""
    script = f'test "$PLACEWRIGHT_REPLICA_INDEX$PLACEWRIGHT_RUN_NUMBER" = 01 || {LONG}'
    service = a_job(
        script, name="restarting", kind="inference", replicas=2, accelerators="a100-80gb:1", pools=["old"]
    )
    return client.submit(service)


@pytest.fixture(scope="module", autouse=True)
def flaky(client: Client) -> JobHandle:
    """A job that fails each time and may do so once more."""
    job = a_job("exit 9", name="flaky", accelerators="a100-80gb:1", pools=["old"], user_error_retries=1)
    return client.submit(job)


def test_a_replica_of_a_service_that_exits_runs_again(restarting: JobHandle) -> None:
    def both_run() -> bool:
        job = restarting.refresh()
        return job.counts.running == 2 and job.replicas[0].runs == 2

    wait_until(both_run, "replica 0 runs again", within_s=RESTART_S_MAX)

    assert [replica.runs for replica in restarting.job.replicas] == [2, 1]
    assert restarting.job.phase is JobPhase.ACTIVE


def test_a_service_runs_until_it_is_cancelled(restarting: JobHandle) -> None:
    restarting.cancel()

    finished = restarting.wait(timeout=WITHIN_S)

    assert finished.phase is JobPhase.CANCELLED
    assert finished.counts.done == 2


def test_a_job_is_tried_again_as_often_as_it_allows(flaky: JobHandle) -> None:
    finished = flaky.wait(timeout=RESTART_S_MAX)

    assert outcome(finished) == (JobPhase.FAILED, EndReason.USER_ERROR, 9)
    assert finished.replicas[0].runs == 2
