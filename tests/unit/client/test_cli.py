"""The command line against a real gRPC server: forms, exit codes, streams."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
import yaml
from google.rpc import error_details_pb2
from typer.testing import CliRunner, Result

from placewright.cli import exits
from placewright.cli.app import app
from placewright.v1 import job_pb2, pool_pb2
from tests.unit.client.fake_service import FakeService, a_status, an_info

Run = Callable[..., Result]
REFUSED = 6

JOB_FILE = """\
name: pretrain
accelerators: [tpu-v5p:4x4x8, {size: h100:64, speed_permille: 900}]
command: [python, train.py]
queue: research
estimated_duration: 6h
"""


@pytest.fixture
def run(service: FakeService) -> Run:
    def invoke(*words: str, typed: str | None = None) -> Result:
        environment = {"PLACEWRIGHT_ADDRESS": service.address, "NO_COLOR": "1"}
        return CliRunner().invoke(app, list(words), env=environment, input=typed)

    return invoke


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(JOB_FILE)
    return path


def submitted(run: Run, name: str = "pretrain") -> str:
    return run("submit", "--name", name, "-a", "h100:64", "--", "train").stdout.strip()


def test_submit_prints_the_job_id_of_a_file(run: Run, service: FakeService, job_file: Path) -> None:
    result = run("submit", str(job_file))

    assert (result.exit_code, result.stdout) == (0, "main-0000\n"), result.output
    submission = service.requests["SubmitJob"][0].submission
    assert submission.spec.alternatives[1].speed_permille == 900
    assert submission.payload.command == ["python", "train.py"]


def test_submit_takes_flags_and_a_command(run: Run, service: FakeService) -> None:
    result = run(
        "submit", "--name", "serve", "-a", "h100:8", "--kind", "inference", "--replicas", "4",
        "--env", "A=1=2",
        "--location", "gcp/*/*", "--market", "spot", "--request-id", "mine", "--", "serve", "--port", "1",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    submission = service.requests["SubmitJob"][0].submission
    assert submission.request_id == "mine"
    assert submission.spec.inference.max_replicas == 4
    assert submission.spec.constraints.allowed_locations[0].provider == "gcp"
    assert submission.payload.command == ["serve", "--port", "1"]
    assert submission.payload.env == {"A": "1=2"}


def test_flags_win_over_the_file(run: Run, service: FakeService, job_file: Path) -> None:
    run("submit", str(job_file), "--queue", "urgent")

    assert service.requests["SubmitJob"][0].submission.spec.queue == "urgent"


def test_submit_reads_several_jobs_from_stdin(run: Run) -> None:
    result = run("submit", "-", typed=f"{JOB_FILE}---\n{JOB_FILE}")

    assert (result.exit_code, result.stdout) == (0, "main-0000\nmain-0001\n"), result.output


def test_submit_of_many_goes_on_after_a_refused_one(run: Run) -> None:
    result = run("submit", "-", typed=JOB_FILE.replace("pretrain", "bad") + "---\n" + JOB_FILE)

    assert (result.exit_code, result.stdout) == (2, "main-0000\n")
    assert "bad was refused:" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (JOB_FILE.replace("6h", "6"), ":5: estimated_duration: 6 is not a duration"),
        (JOB_FILE.replace("h100:64", "h100:6y"), ":2: accelerators[1]: 'h100:6y' has the size '6y'"),
        (JOB_FILE + "gpus: 8\n", ":6: gpus: is no field of a job; allowed are name, accelerators"),
        (JOB_FILE + "env:\n  N: 1\n", ":7: env.N: must be a string, got 1"),
        (JOB_FILE + "  x: [\n", ":6: not YAML"),
        (JOB_FILE + "---\nname: 2024-99-99\n", ":7: holds a value that is none: month"),
        (JOB_FILE + "queue: \x07\n", ":6: not YAML: special characters are not allowed"),
        ("[" * 1_500, "job.yaml: is nested too deeply"),
        ("- 1\n", ":1: must be a mapping"),
        ("name: x\n", "job.yaml: 'accelerators' and 'command' must be given"),
        ("", "has no job"),
    ],
)
def test_a_fault_of_a_file_is_told_with_its_line(run: Run, job_file: Path, text: str, message: str) -> None:
    job_file.write_text(text)

    result = run("submit", str(job_file))

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_submit_waits_and_fails_with_the_job(run: Run, service: FakeService, job_file: Path) -> None:
    def end_it() -> None:
        service.wait_for_requests("WatchJobs", 1)
        run = service.jobs["main-0000"].replicas[0].newest_run
        run.state, run.end_reason, run.exit_code = job_pb2.RUN_STATE_ENDED, job_pb2.END_REASON_USER_ERROR, 3
        service.move("main-0000", phase="failed", done=1)

    ender = threading.Thread(target=end_it)
    ender.start()
    result = run("submit", str(job_file), "--wait", "--timeout", "10s")

    ender.join()
    assert (result.exit_code, result.stdout) == (1, "main-0000\n")
    assert "failed, user_error with exit code 3" in result.stderr


def test_submit_that_waits_too_long_says_so(run: Run, job_file: Path) -> None:
    result = run("submit", str(job_file), "--wait", "--timeout", "200ms")

    assert result.exit_code == 4
    assert "is pending and not finished after 200ms" in result.stderr


def test_jobs_shows_a_table_with_where_price_and_why(run: Run, service: FakeService) -> None:
    placed, waiting = submitted(run, "placed"), submitted(run, "waits")
    place(service, placed)
    defer(service, waiting)

    header, first, second = run("jobs").stdout.splitlines()

    assert " ".join(header.split()) == "JOB NAME QUEUE CLASS PHASE REPLICAS WHERE $/H WAITING-WHY AGE"
    assert " ".join(first.split()[:8]) == "main-0000 placed default - active 1/1 gcp-h100 $160.00"
    assert "needs 64, at most 16 free in one pool" in second


def test_jobs_gives_other_forms(run: Run) -> None:
    job_id = submitted(run)

    as_json = json.loads(run("jobs", "-o", "json").stdout)
    as_yaml = yaml.safe_load(run("jobs", "-o", "yaml").stdout)

    assert as_json == as_yaml
    assert as_json[0]["spec"]["alternatives"] == [{"size": "h100:64", "speed_permille": None}]
    assert as_json[0]["submitted_at"].endswith("Z")
    assert run("jobs", "-o", "name").stdout == f"{job_id}\n"


def test_jobs_filters(run: Run) -> None:
    submitted(run, "one")
    submitted(run, "two")

    assert run("jobs", "--name", "two", "--phase", "pending", "-o", "name").stdout == "main-0001\n"
    assert run("jobs", "--phase", "running").exit_code == 2


def test_job_explains_why_it_waits_and_where_it_runs(run: Run, service: FakeService) -> None:
    waiting, placed = submitted(run, "waits"), submitted(run, "placed")
    place(service, placed)
    defer(service, waiting)

    waits, runs = run("job", waiting).stdout, run("job", placed).stdout

    assert "waits: needs 64, at most 16 free in one pool (no_capacity)" in waits
    assert "2 pools have another accelerator" in waits
    assert "64 h100 in gcp-h100 (reserved) at $160.00/h; next best aws-h100, $12.00/h worse" in runs
    assert "8 tasks x 8 accelerators, nodes 3, 4" in runs


def test_job_says_what_is_tried_again_and_why_it_was_cancelled(run: Run) -> None:
    submit = ("submit", "-a", "h100", "--name")
    job_id = run(*submit, "flaky", "--user-error-retries", "2", "--", "train").stdout.strip()
    strict_id = submitted(run)
    run("cancel", job_id, "--reason", "wrong data")

    flaky, strict = run("job", job_id).stdout, run("job", strict_id).stdout

    assert "cancel    asked for 0s ago: wrong data" in flaky
    assert "after every end that is not the job's own fault; 2 x after a user error" in flaky
    assert "never after a user error" in strict
    assert "cancel " not in strict


def test_jobs_says_where_replicas_are_not_shown(run: Run, service: FakeService) -> None:
    job_id = submitted(run)
    place(service, job_id)
    service.jobs[job_id].ClearField("replicas")
    service.jobs[job_id].replicas_left_out = True
    service.move(job_id, phase="active", running=150, waiting=3)

    _, row = run("jobs").stdout.splitlines()

    assert row.count("not shown") == 3  # where, price, why
    assert f"placewright job {job_id}" in run("cancel", job_id, "-o", "table").stdout


def test_a_held_job_says_by_whom_and_why_until_it_is_released(run: Run) -> None:
    job_id = submitted(run)

    run("hold", job_id, "--reason", "wrong data")
    assert "hold      by alice 0s ago: wrong data" in run("job", job_id).stdout

    run("release", job_id)
    assert "hold " not in run("job", job_id).stdout


def test_a_cordon_is_of_a_pool_or_of_nodes(run: Run, service: FakeService) -> None:
    service.pools["gcp"] = pool_pb2.Pool(pool_id="gcp", status=pool_pb2.PoolStatus(ready=True))

    said = run("cordon", "gcp", "--node", "3", "--node", "5", "--reason", "loud fans")
    assert (said.stdout, said.stderr) == ("gcp\n", "gcp: cordoned nodes 3, 5\n")
    assert "ready, 2 nodes cordoned" in run("pools").stdout
    assert "gcp: still cordoned: node 5" in run("uncordon", "gcp", "--node", "3").stderr

    assert run("cordon", "gcp", "--reason", "moving").stderr == "gcp: cordoned\n"
    assert "still cordoned: node 5" in run("uncordon", "gcp").stderr
    assert "gcp: not cordoned" in run("uncordon", "gcp", "--node", "5").stderr


def test_a_pinned_replica_says_so_until_it_is_unpinned(run: Run) -> None:
    job_id = submitted(run)

    said = run("pin", f"{job_id}-0", "--pool", "gcp", "--reason", "close to its data").stderr
    assert said == f"{job_id}-0: pinned to gcp\n"
    assert "pinned to gcp by : close to its data" in run("job", job_id).stdout

    assert run("unpin", f"{job_id}-0").stderr == f"{job_id}-0: not pinned\n"
    assert "pinned" not in run("job", job_id).stdout


def test_queues_are_listed_with_who_holds_them(run: Run) -> None:
    said = run("queue", "hold", "serving", "--reason", "over budget").stderr
    assert said == "held: queue serving by olga: over budget\n"

    heads, *rows = [line.split() for line in run("queues").stdout.splitlines()]
    assert heads == [
        *("QUEUE", "COHORT", "WEIGHT", "JOBS", "WAITING", "RUNS", "ACCELERATORS"),
        *("RESOURCE", "USED", "QUOTA", "BORROWED", "AVAILABLE", "HELD"),
    ]
    assert rows[0] == ["research", "3", "2", "1", "64"]
    assert rows[1] == ["serving", "3", "2", "1", "64", "by", "olga:", "over", "budget"]
    assert run("queues", "-o", "name").stdout == "research\nserving\nteam\n"

    assert run("queue", "release", "serving").stderr == "queue serving: not held\n"
    assert "olga" not in run("queues").stdout


def test_prices_are_listed_by_pool(run: Run) -> None:
    heads, row = [line.split() for line in run("prices").stdout.splitlines()]
    assert heads == ["POOL", "ACCELERATOR", "MARKET", "FREE", "CHARGED", "MARGINAL", "SHADOW", "STATE"]
    assert row == ["gcp-h100", "h100", "reserved", "24", "$2.50", "$0.00", "$7.25", "no", "launcher"]
    assert run("prices", "-o", "name").stdout == "gcp-h100\n"


def test_plan_shows_what_would_be_against_what_is(run: Run, tmp_path: Path) -> None:
    pools = tmp_path / "pools.yaml"
    pools.write_text(
        """pools:
- {id: more, accelerator: h100, provider: gcp, region: us-east5, market: reserved, launcher_id: gcp,
   price_usd_per_accelerator_hour: 2.15, node_groups: [{nodes: 2, devices_per_node: 8}]}
"""
    )
    job = tmp_path / "job.yaml"
    job.write_text("{name: wanted, accelerators: h100:8, command: [train]}")

    said = run("plan", str(job), "--pool", str(pools), "--quota", "research:h100=64", "--without-job", "a-1")

    assert said.stderr == "planning ...\n"
    figures, jobs, changes = (part.splitlines() for part in said.stdout.split("\n\n"))
    assert figures[0].split() == ["PLAN", "BEFORE", "AFTER"]
    assert figures[1].split() == ["replicas", "placed", "1", "1"]
    assert figures[-1].split() == ["gap", "-", "4.8", "%"]
    assert jobs[1].split()[:4] == ["wanted", "0", "more", "$16.00"]
    assert changes[1].split()[:4] == ["main-0000-0", "more", "waits", "needs"]
    assert changes[2] == "... and 2 more"


def test_explain_tells_what_each_pool_says_and_what_would_let_it_in(run: Run) -> None:
    lines = run("explain", "main-0000").stdout.splitlines()

    assert lines[0] == "replica   main-0000-0"
    assert lines[3].split() == ["POOL", "NEEDS", "FREE", "COSTS", "IS-WORTH", "VERDICT"]
    assert lines[4].split()[:5] == ["gcp-h100", "8", "4", "$12.00", "$10.00"]
    assert lines[6:] == [
        "any one of these would let it in:",
        "  the quota of cohort all raised by 16 h100",
        "  $9.50 per accelerator-hour on pool gcp-h100",
    ]


def test_explain_tells_the_parts_of_a_placement(run: Run) -> None:
    said = run("explain", "main-0000", "--replica", "1").stdout

    assert "placed    8 h100 in gcp-h100 at $0.00/h; no other pool was possible\n" in said
    assert ["price", "$-16.00"] in [line.split() for line in said.splitlines()]
    assert ["sum", "$64.00"] in [line.split() for line in said.splitlines()]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pools: []", "must have pools: with at least 1 item"),
        ("pools: [", "not YAML"),
        ("pools: [{id: a}]", "pools[0].accelerator must be given"),
        ("pools: [{id: a, gpus: 8}]", "pools[0].gpus is no field of a pool"),
    ],
)
def test_a_pool_file_that_cannot_be_read(run: Run, tmp_path: Path, text: str, told: str) -> None:
    pools = tmp_path / "pools.yaml"
    pools.write_text(text)

    said = run("plan", "--pool", str(pools))

    assert said.exit_code == exits.INVALID
    assert str(pools) in said.stderr
    assert told in said.stderr.replace(": must", " must").replace(": is", " is")


def test_a_quota_that_cannot_be_read(run: Run) -> None:
    said = run("plan", "--quota", "research=64")
    assert (said.exit_code, said.stderr) == (
        exits.INVALID,
        "error: --quota must be QUEUE:RESOURCE=N such as research:h100=64, got 'research=64'\n",
    )


def test_a_queue_gets_quotas_that_are_shown_and_taken_away(run: Run, service: FakeService) -> None:
    said = run(
        *("queue", "apply", "research", "--cohort", "lab", "--weight", "1.5"),
        *("--quota", "h100=64,borrow=32,lend=0", "--quota", "usd=2000.5"),
    ).stdout

    (request,) = service.requests["ApplyQueue"]
    assert (request.queue, request.spec.cohort, request.spec.weight_permille) == ("research", "lab", 1_500)
    h100, dollars = request.spec.quotas
    assert (h100.resource, h100.nominal, h100.borrowing_limit) == ("h100", 64, 32)
    assert (h100.HasField("lending_limit"), h100.lending_limit) == (True, 0)
    assert (dollars.resource, dollars.nominal) == ("usd_millis_per_hour", 2_000_500)
    assert not dollars.HasField("borrowing_limit")
    assert "quota     64 h100, borrows up to 32, lends up to 0" in said
    assert "quota     $2,000.50/h, borrows all that others leave, lends all it leaves" in said
    assert run("queue", "show", "research").stdout == said

    _, first, second, serving, _ = [line.split() for line in run("queues").stdout.splitlines()]
    assert first == ["research", "lab", "1.5", "3", "2", "1", "64", "h100", "96", "64", "32", "6"]
    assert second == ["$/h", "$3,000.75", "$2,000.50", "$1,000.25", "$200.05"]
    assert serving == ["serving", "3", "2", "1", "64"]

    assert run("queue", "delete", "research").stderr == "queue research: no quotas any more\n"
    assert "quotas    none" in run("queue", "show", "research").stdout


def test_cohorts_are_applied_listed_and_deleted(run: Run, service: FakeService) -> None:
    run("cohort", "apply", "lab", "--quota", "h100=16")
    run("cohort", "apply", "team", "--parent", "lab", "--etag", "of-team")

    assert service.requests["ApplyCohort"][1].spec.parent == "lab"
    assert service.requests["ApplyCohort"][1].etag == "of-team"
    heads, *rows = [line.split() for line in run("cohort", "list").stdout.splitlines()]
    assert heads == ["COHORT", "PARENT", "RESOURCE", "USED", "QUOTA", "BORROWED", "AVAILABLE"]
    assert rows == [["lab", "h100", "24", "16", "8", "1"], ["team", "lab"]]
    assert run("cohort", "delete", "team").stderr == "cohort team: deleted\n"
    assert run("cohort", "list", "-o", "name").stdout == "lab\n"


@pytest.mark.parametrize(
    "option",
    [
        "--quota=h100",
        "--quota=h100=",
        "--quota==5",
        "--quota=h100=-1",
        "--quota=h100=1.5",
        "--quota=h100=1,borow=2",
        "--quota=h100=1,lend=2,lend=3",
        "--quota=usd=1.2345",
        "--quota=usd=nan",
        "--weight=0",
        "--weight=heavy",
        "--weight=1001",
    ],
)
def test_a_mistyped_quota_is_refused_with_an_example(run: Run, service: FakeService, option: str) -> None:
    result = run("queue", "apply", "research", option)

    assert (result.exit_code, "must be" in result.stderr) == (2, True), result.output
    assert not service.requests["ApplyQueue"]


def test_freezes_are_listed_until_they_are_taken_back(run: Run) -> None:
    run("freeze", "--reason", "odd prices")
    run("freeze", "--queue", "research", "--reason", "runaway submitter")

    listed = run("freezes").stdout
    assert "the cell by olga: odd prices" in listed
    assert "queue research by olga: runaway submitter" in listed

    assert "still frozen: queue research" in run("unfreeze").stderr
    assert "nothing is frozen" in run("unfreeze", "--queue", "research").stderr
    assert run("freezes").stdout == ""


def test_cancel_ends_a_job(run: Run, service: FakeService) -> None:
    result = run("cancel", submitted(run), "--reason", "wrong data")

    assert (result.exit_code, result.stdout) == (0, "main-0000\n")
    assert service.requests["CancelJob"][0].reason == "wrong data"


def test_watch_of_a_job_ends_with_it(run: Run, service: FakeService) -> None:
    job_id = submitted(run)
    service.move(job_id, phase="succeeded", done=1)

    result = run("watch", job_id, "-o", "json")

    assert result.exit_code == 0
    assert [json.loads(line)["phase"] for line in result.stdout.splitlines()] == ["succeeded"]


def test_watch_ends_with_the_error_of_the_service(run: Run, service: FakeService) -> None:
    service.faults["WatchJobs"] = [a_status(grpc.StatusCode.PERMISSION_DENIED, "not your queue")]

    result = run("watch")

    assert result.exit_code == 5
    assert "error: not your queue" in result.stderr


def with_jumps(service: FakeService) -> None:
    """A pool whose price and capacity jump."""
    pool = pool_pb2.Pool(pool_id="gcp-h100", status=pool_pb2.PoolStatus(ready=True))
    pool.unconfirmed_jumps.add(
        what=pool_pb2.POOL_JUMP_KIND_PRICE, confirmed=900_000, unconfirmed=900_000_000, principal="olga"
    )
    pool.unconfirmed_jumps.add(
        what=pool_pb2.POOL_JUMP_KIND_CAPACITY, confirmed=64, unconfirmed=0, principal="slurm"
    )
    service.pools["gcp-h100"] = pool


def test_pools_and_confirm_show_what_waits_for_confirmation(run: Run, service: FakeService) -> None:
    with_jumps(service)

    assert "ready; unconfirmed: price $0.90 -> $900.00, capacity 64 -> 0" in run("pools").stdout
    shown = run("confirm", "gcp-h100")
    assert "price $0.90 -> $900.00, by olga" in shown.stderr
    assert "to confirm: --price, --capacity" in shown.stderr
    assert service.requests["ConfirmPool"] == []


@pytest.mark.parametrize(
    ("options", "price", "accelerators"),
    [
        (["--price"], 900_000_000, None),
        (["--capacity"], None, 0),
        (["--price", "--capacity"], 900_000_000, 0),
    ],
)
def test_confirm_sends_the_values_that_it_shows(
    run: Run, service: FakeService, options: list[str], price: int | None, accelerators: int | None
) -> None:
    with_jumps(service)

    result = run("confirm", "gcp-h100", *options)

    assert (result.exit_code, result.stdout) == (0, "gcp-h100\n"), result.output
    (sent,) = service.requests["ConfirmPool"]
    field = "price_usd_micros_per_accelerator_hour"
    assert (getattr(sent, field) if sent.HasField(field) else None) == price
    assert (sent.accelerators if sent.HasField("accelerators") else None) == accelerators
    assert "nothing to confirm" in run("confirm", "gcp-h100").stderr
    assert run("confirm", "gcp-h100", *options).exit_code == REFUSED


def test_pools_shows_a_table(run: Run, service: FakeService) -> None:
    pool = pool_pb2.Pool(pool_id="gcp-h100")
    pool.spec.accelerator, pool.spec.provider, pool.spec.region = "h100", "gcp", "us-east5"
    pool.spec.zone, pool.spec.market = "us-east5-a", job_pb2.MARKET_RESERVED
    pool.spec.price_usd_micros_per_accelerator_hour = 2_500_000
    pool.usage.accelerators, pool.usage.accelerators_used, pool.usage.runs = 64, 48, 2
    service.pools["gcp-h100"] = pool

    _, row = run("pools").stdout.splitlines()

    said = "gcp-h100 h100 gcp/us-east5/us-east5-a reserved 48/64 16 2 $2.50 no launcher"
    assert " ".join(row.split()) == said


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 2),
        (grpc.StatusCode.NOT_FOUND, 3),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 4),
        (grpc.StatusCode.UNAUTHENTICATED, 5),
        (grpc.StatusCode.PERMISSION_DENIED, 5),
        (grpc.StatusCode.ALREADY_EXISTS, 6),
        (grpc.StatusCode.FAILED_PRECONDITION, 6),
        (grpc.StatusCode.ABORTED, 6),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 7),
        (grpc.StatusCode.INTERNAL, 70),
    ],
)
def test_each_status_has_its_exit_code(
    run: Run, service: FakeService, code: grpc.StatusCode, exit_code: int
) -> None:
    service.faults["GetJob"] = [a_status(code, "no luck")]

    result = run("job", "main-1")

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert "error: no luck" in result.stderr


def test_a_write_with_unknown_outcome_says_how_to_repeat_it(run: Run, service: FakeService) -> None:
    service.faults["SubmitJob"] = [a_status(grpc.StatusCode.UNAVAILABLE, "gone") for _ in range(5)]

    result = run("submit", "--name", "x", "-a", "h100", "--request-id", "mine", "--", "train")

    assert result.exit_code == 4
    assert "--request-id mine" in result.stderr


def test_faults_that_the_service_finds_are_told_with_their_field(
    run: Run, service: FakeService, job_file: Path
) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(
        field="submission.spec.queue", description="'research' does not exist"
    )
    service.faults["SubmitJob"] = [
        a_status(
            grpc.StatusCode.INVALID_ARGUMENT,
            "bad request",
            an_info("INVALID_REQUEST"),
            error_details_pb2.BadRequest(field_violations=[violation]),
        )
    ]

    result = run("submit", str(job_file))

    assert result.exit_code == 2
    assert f"error: {job_file}:4: submission.spec.queue: 'research' does not exist" in result.stderr


def place(service: FakeService, job_id: str) -> None:
    replica = service.jobs[job_id].replicas[0]
    replica.Clear()
    replica.state, replica.run_count = job_pb2.REPLICA_STATE_RUNNING, 1
    run = replica.newest_run
    run.run_number, run.state = 1, job_pb2.RUN_STATE_RUNNING
    assignment = run.placement.assignments.add(
        pool_id="gcp-h100",
        accelerator="h100",
        accelerators=64,
        market=job_pb2.MARKET_RESERVED,
        charged_usd_micros_per_hour=160_000_000,
    )
    group = assignment.task_groups.add(role="worker", tasks=8, devices_per_task=8)
    group.nodes.add(node="3", tasks=4)
    group.nodes.add(node="4", tasks=4)
    run.value.term_usd_micros_per_hour = 30_000_000
    run.value.runner_up.pool_id, run.value.runner_up.term_usd_micros_per_hour = "aws-h100", 18_000_000
    service.move(job_id, phase="active", running=1)


def defer(service: FakeService, job_id: str) -> None:
    deferral = service.jobs[job_id].replicas[0].deferral
    deferral.reason = job_pb2.DEFERRAL_REASON_NO_CAPACITY
    deferral.accelerators_needed, deferral.accelerators_free_max = 64, 16
    deferral.verdicts.add(verdict=job_pb2.POOL_VERDICT_OTHER_ACCELERATOR, pools=2)
    deferral.verdicts.add(verdict=job_pb2.POOL_VERDICT_FULL, pools=1)


@pytest.mark.parametrize("words", [("--address", "ADDRESS", "jobs"), ("jobs", "--address", "ADDRESS")])
def test_the_address_flag_wins_wherever_it_stands(service: FakeService, words: tuple[str, ...]) -> None:
    told = [service.address if word == "ADDRESS" else word for word in words]

    result = CliRunner().invoke(app, told, env={"PLACEWRIGHT_ADDRESS": "127.0.0.1:1"})

    assert result.exit_code == 0, result.output
    assert len(service.requests["ListJobs"]) == 1
