"""The way of a run through the launcher: offered, claimed, started, reported, stopped, released."""

from typing import cast

import pytest

from placewright.v1 import launcher_service_pb2 as pb
from placewright.v1.job_pb2 import EndReason, RunState
from tests.unit.launcher.conftest import Launchers
from tests.unit.launcher.fake_launcher_service import FakeLauncherService
from tests.unit.launcher.launcher_builders import POOL, a_pool, a_run

STARTING = RunState.RUN_STATE_STARTING
RUNNING = RunState.RUN_STATE_RUNNING
FOREVER = "exec sleep 1000"


async def test_an_offered_run_is_claimed_started_and_its_success_reported(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("echo $GREETING from $PLACEWRIGHT_RUN_ID")

    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_SUCCEEDED
    assert not end.HasField("exit_code")
    assert run.claims == 1
    assert launchers.log_of(run.offer.run_id) == f"hello from {run.offer.run_id}\n"


async def test_a_run_offered_again_and_again_is_started_once(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("echo started; " + FOREVER)

    for _ in range(5):
        await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)
    for _ in range(5):
        await service.offer(run)
    await service.break_stream()
    await service.until(lambda: len(service.snapshots) == 2)
    await launchers.until_logged(run.offer.run_id, "started")

    assert run.claims == 1
    assert launchers.log_of(run.offer.run_id) == "started\n"


async def test_a_claim_whose_answers_get_lost_is_repeated_and_the_run_started_once(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("echo started")
    service.claim_answers_to_lose = 2

    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_SUCCEEDED
    assert run.claims == 3
    assert launchers.log_of(run.offer.run_id) == "started\n"


async def test_a_run_claimed_in_a_session_that_was_lost_before_the_answer_is_never_started(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("echo started")
    service.claim_answers_to_lose = 1_000

    await service.offer(run)
    await service.until(lambda: run.claims > 0)
    await service.break_stream()
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_INFRASTRUCTURE
    assert not (launchers.state_dir / "logs" / run.offer.run_id).exists()


async def test_reports_are_repeated_until_the_service_confirms_them(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("exit 7")
    service.reports_to_refuse = 5

    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert (end.end_reason, end.exit_code) == (EndReason.END_REASON_USER_ERROR, 7)
    assert service.reports_to_refuse == 0


async def test_an_end_is_told_in_each_session_until_the_run_is_released_and_then_forgotten(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    service.is_releasing = False
    await launchers.start()
    run = a_run("exit 0")
    await service.offer(run)
    await service.until_ended(run.offer.run_id)

    await service.break_stream()
    await service.until(lambda: len(service.snapshots) == 2)
    told = [said.run.run_id for said in service.snapshots[1] if said.HasField("run")]
    await service.release(run.offer.run_id)

    assert told == [run.offer.run_id]
    await launchers.until(lambda: not launchers.notes_of(run.offer.run_id).exists())


async def test_a_stopped_run_may_end_politely_and_ends_with_the_stop_reason(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.01; done")
    await service.offer(run)
    await launchers.until_logged(run.offer.run_id, "ready")

    await service.stop_run(run.offer.run_id, EndReason.END_REASON_PREEMPTED, grace_ms=10_000)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_PREEMPTED
    assert launchers.log_of(run.offer.run_id).endswith("saved\n")


async def test_a_run_that_ignores_the_stop_is_killed_after_the_grace_period(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("trap '' TERM; echo ready; while :; do sleep 0.01; done")
    await service.offer(run)
    await launchers.until_logged(run.offer.run_id, "ready")

    await service.stop_run(run.offer.run_id, EndReason.END_REASON_DRAINED, grace_ms=100)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_DRAINED
    assert not launchers.is_anything_alive(run.offer.run_id)


async def test_a_later_stop_with_less_grace_counts(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("trap '' TERM; echo ready; while :; do sleep 0.01; done")
    await service.offer(run)
    await launchers.until_logged(run.offer.run_id, "ready")

    await service.stop_run(run.offer.run_id, EndReason.END_REASON_DRAINED, grace_ms=3_600_000)
    await service.stop_run(run.offer.run_id, EndReason.END_REASON_DRAINED, grace_ms=0)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_DRAINED


async def test_a_real_exit_before_the_stop_wins_over_the_stop_reason(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    service.is_releasing = False
    await launchers.start()
    run = a_run("exit 3")
    await service.offer(run)
    await service.until_state(run.offer.run_id, RunState.RUN_STATE_ENDED)

    await service.stop_run(run.offer.run_id, EndReason.END_REASON_CANCELLED, grace_ms=0)
    await service.break_stream()
    await service.until(lambda: len(service.snapshots) == 2)

    (report,) = (said.run for said in service.snapshots[1] if said.HasField("run"))
    assert (report.end_reason, report.exit_code) == (EndReason.END_REASON_USER_ERROR, 3)


async def test_when_one_task_fails_the_gang_is_stopped_and_the_first_exit_code_reported(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run('if [ "$PLACEWRIGHT_TASK_INDEX" = 2 ]; then exit 42; fi; ' + FOREVER, tasks=4)

    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert (end.end_reason, end.exit_code) == (EndReason.END_REASON_USER_ERROR, 42)
    assert end.message == "task 2 exited with 42"
    assert not launchers.is_anything_alive(run.offer.run_id)


async def test_processes_that_tasks_leave_behind_are_killed_even_in_sessions_of_their_own(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 0.01; done' & exit 0")

    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_SUCCEEDED
    assert not launchers.is_anything_alive(run.offer.run_id)


@pytest.mark.parametrize(
    ("command", "exit_code", "message"),
    [
        (["no-such-command"], 127, "command not found: 'no-such-command'"),
        (["/etc/passwd"], 126, "command cannot be executed: '/etc/passwd'"),
    ],
)
async def test_a_command_that_cannot_be_executed_is_the_users_error(
    service: FakeLauncherService, launchers: Launchers, command: list[str], exit_code: int, message: str
) -> None:
    await launchers.start()
    run = a_run("", command=command, tasks=3)

    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert (end.end_reason, end.exit_code) == (EndReason.END_REASON_USER_ERROR, exit_code)
    assert end.message.startswith(message)
    assert RUNNING not in run.states


async def test_a_gang_of_too_many_tasks_is_refused_with_the_limit(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    service.pools[POOL] = a_pool(devices=64)
    await launchers.start(tasks_per_run_max=16)
    run = a_run(FOREVER, tasks=17)

    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_INFRASTRUCTURE
    assert "at most 16 tasks" in end.message
    assert not launchers.is_anything_alive(run.offer.run_id)


async def test_tasks_are_told_who_they_are_and_live_runs_share_no_device(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    script = (
        "echo $PLACEWRIGHT_JOB_ID $PLACEWRIGHT_JOB_NAME $PLACEWRIGHT_REPLICA_INDEX $PLACEWRIGHT_RUN_NUMBER"
        " $PLACEWRIGHT_TASK_INDEX/$PLACEWRIGHT_TASK_COUNT $PLACEWRIGHT_NODE $PLACEWRIGHT_POOL_ID"
        " $PLACEWRIGHT_ACCELERATOR; echo devices $PLACEWRIGHT_DEVICES token $PLACEWRIGHT_RUN_TOKEN; "
    )
    await launchers.start()
    runs = [a_run(script + FOREVER, tasks=2, devices=2) for _ in range(2)]

    for run in runs:
        await service.offer(run)
        for task in range(2):
            await launchers.until_logged(run.offer.run_id, "token", task=task)

    logs = [launchers.log_of(run.offer.run_id, task=task).splitlines() for run in runs for task in range(2)]
    assert logs[1][0] == f"cell-job a-job 0 1 1/2 0 {POOL} h100"
    assert sorted(lines[1].split()[1] for lines in logs) == ["0,1", "2,3", "4,5", "6,7"]
    assert logs[0][1].endswith(f"token {runs[0].token}")


async def test_devices_are_free_again_when_a_run_has_ended(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    service.is_releasing = False
    await launchers.start()
    first, second, third = (a_run(FOREVER, devices=8) for _ in range(3))
    await service.offer(first)
    await service.until_state(first.offer.run_id, RUNNING)

    await service.offer(second)
    refused = await service.until_ended(second.offer.run_id)
    await service.stop_run(first.offer.run_id, EndReason.END_REASON_MOVED, grace_ms=0)
    await service.until_ended(first.offer.run_id)
    await service.offer(third)
    await service.until_state(third.offer.run_id, RUNNING)

    assert refused.end_reason == EndReason.END_REASON_INFRASTRUCTURE
    assert "has 0 of 8" in refused.message


async def test_a_run_that_the_service_released_is_stopped_and_forgotten(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run(FOREVER, grace_ms=100)
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)

    await service.release(run.offer.run_id)

    await launchers.until(lambda: not launchers.notes_of(run.offer.run_id).exists())
    assert not launchers.is_anything_alive(run.offer.run_id)


async def test_a_run_that_the_service_does_not_know_is_stopped_and_forgotten(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run("echo ready; until [ -e ../end ]; do sleep 0.01; done", grace_ms=100)
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)

    del service.runs[run.offer.run_id]
    await service.break_stream()

    await launchers.until(lambda: not launchers.notes_of(run.offer.run_id).exists())
    assert not launchers.is_anything_alive(run.offer.run_id)


async def test_an_offer_stopped_before_it_was_claimed_leaves_nothing(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    run = a_run(FOREVER)
    run.offer.desired = pb.DESIRED_STATE_STOP
    run.offer.stop_reason = EndReason.END_REASON_CANCELLED
    service.runs[run.offer.run_id] = run

    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 1)

    assert run.claims == 0
    assert not launchers.notes_of(run.offer.run_id).exists()


async def test_a_run_told_to_stop_between_claim_and_start_is_not_started(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run = a_run(FOREVER)
    service.claim_answers_to_lose = 3

    await service.offer(run)
    await service.until(lambda: run.claims == 1)
    await service.stop_run(run.offer.run_id, EndReason.END_REASON_CANCELLED, grace_ms=0)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_CANCELLED
    assert not launchers.is_anything_alive(run.offer.run_id)


async def test_a_refused_session_is_followed_by_a_new_one(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 1)
    run = a_run("exit 0")

    service.session = "opened elsewhere"
    await service.offer(run)
    end = await service.until_ended(run.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_SUCCEEDED
    assert service.sessions == 2


async def test_the_launcher_reports_its_pools_and_confirms_what_it_got(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()

    await service.until(lambda: len(service.snapshots) == 1 and service.acknowledged > 0)

    (said,) = service.snapshots[0]
    assert said.pool_status.pool_id == POOL
    assert list(said.pool_status.unavailable_nodes) == []
    assert service.acknowledged == 3


async def test_many_runs_start_at_once(service: FakeLauncherService, launchers: Launchers) -> None:
    service.pools[POOL] = a_pool(devices=64)
    await launchers.start()
    runs = [a_run("exit 0") for _ in range(30)]

    for run in runs:
        await service.offer(run)

    for run in runs:
        end = await service.until_ended(run.offer.run_id)
        assert end.end_reason == EndReason.END_REASON_SUCCEEDED


async def test_a_run_is_claimed_only_when_the_service_has_taken_the_launchers_state_over(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    service.is_taking_snapshots = False
    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 1)
    run = a_run("exit 0")

    await service.offer(run)
    await service.until(lambda: service.acknowledged == 4)
    claims = run.claims
    service.is_taking_snapshots = True
    await service.break_stream()
    await service.until_ended(run.offer.run_id)

    assert (claims, run.claims) == (0, 1)


async def test_a_gap_in_what_the_service_says_is_followed_by_a_new_session(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    await service.until(lambda: len(service.snapshots) == 1)
    run = a_run("exit 0")

    service.sequences_to_skip = 1
    await service.offer(run)
    await service.until_ended(run.offer.run_id)

    assert service.sessions == 2


async def test_what_the_service_wants_in_words_of_a_later_version_leaves_runs_as_they_are(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    running, stopping, offered = a_run(FOREVER), a_run("trap '' TERM; echo ready; exec sleep 1000"), a_run("")
    for run in (running, stopping):
        await service.offer(run)
        await service.until_state(run.offer.run_id, RUNNING)
    await launchers.until_logged(stopping.offer.run_id, "ready")
    await service.stop_run(stopping.offer.run_id, EndReason.END_REASON_DRAINED, grace_ms=500)

    for run in (running, stopping, offered):
        run.offer.generation += 1
        run.offer.desired = cast("pb.DesiredState", 99)
        await service.offer(run)
    await service.break_stream()
    await service.until(lambda: len(service.snapshots) == 2)
    end = await service.until_ended(stopping.offer.run_id)

    assert end.end_reason == EndReason.END_REASON_DRAINED
    assert launchers.is_anything_alive(running.offer.run_id)
    assert offered.claims == 0


async def test_a_report_with_a_stale_run_token_does_not_cost_the_session(
    service: FakeLauncherService, launchers: Launchers
) -> None:
    await launchers.start()
    run, other = a_run("until [ -e end ]; do sleep 0.01; done"), a_run("exit 0")
    await service.offer(run)
    await service.until_state(run.offer.run_id, RUNNING)

    run.token += 1_000
    (launchers.state_dir / "end").touch()
    await service.until(lambda: service.stale_reports == 1)
    await service.offer(other)
    await service.until_ended(other.offer.run_id)

    assert (service.sessions, service.stale_reports) == (1, 1)
