"""How long callers wait: GetJob beside a big solve, and from a submit to the offer, on a whole service."""

import asyncio
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import grpc

from placewright.v1 import job_service_pb2
from placewright.v1.job_service_pb2_grpc import JobServiceStub
from scheduler.bench import messages
from scheduler.bench.bench_launcher import LAUNCHER_ID, BenchLauncher, bench_launcher
from scheduler.bench.cell import whole_service
from scheduler.bench.load import Load
from scheduler.bench.processes import LoadProcess, ServerProcess, children, cpu_s
from scheduler.bench.report import Row

B7 = "b7"
POOLS = 60
NODES_PER_POOL = 4
GET_DURING_SOLVE_MAX = 1.3
SUBMIT_TO_OFFER_MS_MAX = 150.0
PLANNER_CORES_MIN = 0.1  # used by the planner meanwhile; with less there was no big solve to judge by
ARRIVAL_S = 0.25
GETS_PER_S = 100.0
DISTINCT_SIZES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    server: ServerProcess
    load: LoadProcess
    jobs: JobServiceStub
    launcher: BenchLauncher

    def planner_cpu_s(self) -> float:
        """CPU seconds of the service's other processes that still run, the planner above all."""
        valkey = self.server.valkey_process_id
        return sum(cpu_s(child) for child in children(self.server.process_id) if child != valkey)


async def latencies(*, offers: int, jobs: int, seconds: float, advance: Callable[[str], None]) -> list[Row]:
    """Submit to offer on an idle fleet, then GetJob on the idle service and while it plans `jobs` jobs."""
    with tempfile.TemporaryDirectory() as folder:
        async with _service(Path(folder)) as service:
            rows = await _offer_rows(service, offers)
            advance("submit to offer")
            rows.append(await _get_row(service, jobs, seconds))
            advance("GetJob beside a solve")
    return rows


@asynccontextmanager
async def _service(folder: Path) -> AsyncIterator[_Service]:
    fleet = folder / "fleet.yaml"
    pool_ids = [f"pool-{number:02d}" for number in range(POOLS)]
    fleet.write_text("pools:\n" + "".join(map(_pool_text, pool_ids)))
    async with (
        whole_service(folder, fleet) as (server, load),
        grpc.aio.insecure_channel(server.address) as channel,
        bench_launcher(channel, pool_ids) as launcher,
    ):
        jobs = JobServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        yield _Service(server=server, load=load, jobs=jobs, launcher=launcher)


def _pool_text(pool_id: str) -> str:
    return (
        f"  - id: {pool_id}\n    accelerator: h100\n    provider: own\n    region: lab\n"
        "    market: reserved\n"
        f"    node_groups: [{{nodes: {NODES_PER_POOL}, devices_per_node: 8}}]\n"
        f"    price_usd_per_accelerator_hour: 1.90\n    launcher_id: {LAUNCHER_ID}\n"
        "    lease_duration_seconds: 60\n"
    )


async def _offer_rows(service: _Service, offers: int) -> list[Row]:
    began_s = time.monotonic()
    answered_ms, offered_ms = list[float](), list[float]()
    for number in range(offers):
        sent_s = time.perf_counter()
        request = job_service_pb2.SubmitJobRequest(submission=_small_job(f"offer-{number}"))
        answer = await service.jobs.SubmitJob(request)
        answered_ms.append((time.perf_counter() - sent_s) * 1000)
        await service.launcher.offered(answer.job.job_id)
        offered_ms.append((time.perf_counter() - sent_s) * 1000)
    return [
        Row(
            benchmark=B7,
            instance="idle fleet",
            metric="submit to offered, p50 ms",
            value=median(offered_ms),
            bound=SUBMIT_TO_OFFER_MS_MAX,
            seconds=time.monotonic() - began_s,
            detail={
                "submit_answered_p50_ms": median(answered_ms),
                "offers": offers,
                "max_ms": max(offered_ms),
            },
        )
    ]


async def _get_row(service: _Service, jobs: int, seconds: float) -> Row:
    began_s = time.monotonic()
    answer = await service.jobs.SubmitJob(
        job_service_pb2.SubmitJobRequest(submission=_small_job("looked-at"))
    )
    load = Load(
        method=messages.GET_JOB,
        seconds=seconds,
        in_flight=64,
        rate=GETS_PER_S,
        job_ids=(answer.job.job_id,),
    )
    idle = await service.load.run(load)
    submissions = [_waiting_job(number) for number in range(jobs)]
    for start in range(0, jobs, 1_000):
        part = submissions[start : start + 1_000]
        await service.jobs.SubmitJobs(job_service_pb2.SubmitJobsRequest(submissions=part))
    planner_s = service.planner_cpu_s()
    async with asyncio.TaskGroup() as tasks:
        arrivals = tasks.create_task(_keep_arriving(service, jobs))
        busy = await service.load.run(load)
        arrivals.cancel()
    planner_cores = (service.planner_cpu_s() - planner_s) / busy.seconds
    return Row(
        benchmark=B7,
        instance=f"GetJob while {jobs} jobs are planned",
        metric="p50 ms, to idle",
        value=busy.latencies_ms[0],
        ratio=busy.latencies_ms[0] / idle.latencies_ms[0],
        bound=GET_DURING_SOLVE_MAX if planner_cores >= PLANNER_CORES_MIN else None,
        seconds=time.monotonic() - began_s,
        detail={
            "idle_p50_ms": idle.latencies_ms[0],
            "idle_p99_ms": idle.latencies_ms[2],
            "busy_p99_ms": busy.latencies_ms[2],
            "planner_cores": planner_cores,
        },
    )


async def _keep_arriving(service: _Service, jobs: int) -> None:
    """One more job every now and then, so that all are planned again; until cancelled."""
    for number in itertools.count(jobs):
        request = job_service_pb2.SubmitJobRequest(submission=_waiting_job(number))
        await service.jobs.SubmitJob(request)
        await asyncio.sleep(ARRIVAL_S)


def _small_job(name: str) -> job_service_pb2.JobSubmission:
    submission = job_service_pb2.JobSubmission(request_id=name)
    submission.spec.name = name
    submission.spec.training.SetInParent()
    submission.spec.alternatives.add(accelerator="h100", count=8)
    submission.payload.command.append("train")
    return submission


def _waiting_job(number: int) -> job_service_pb2.JobSubmission:
    """One of many that want more than the fleet has; estimates make them all different to the planner."""
    submission = _small_job(f"waiting-{number}")
    submission.spec.alternatives[0].count = 8 * (1 + number % (DISTINCT_SIZES // 2))
    submission.spec.priority_class = ("standard", "batch", "frontier")[number % 3]
    submission.spec.training.estimated_duration.FromSeconds(3_600 + number)
    return submission
