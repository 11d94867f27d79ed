"""What RPCs cost the server beside Echo: CPU per call and throughput, interleaved, the median of rounds."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scheduler.bench import messages
from scheduler.bench.cell import BenchCell, api_replica
from scheduler.bench.load import Load
from scheduler.bench.report import Row
from scheduler.state.server import Durability

B7 = "b7"
IN_FLIGHT = 64
JOBS_PER_CALL = 500
BULK_IN_FLIGHT = 2
SUBMIT_CPU_MAX = 1.35
SUBMIT_THROUGHPUT_MIN = {Durability.ALWAYS: 0.65, Durability.EVERYSEC: 0.70}
BULK_CPU_MAX = 1 / 8
GET_CPU_MAX = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One method in one round; CPU in microseconds per call or, for SubmitJobs, per job."""

    cpu_us: float
    valkey_cpu_us: float
    per_s: float
    p50_ms: float
    failed: int


async def rpc_costs(
    durability: Durability, *, rounds: int, seconds: float, advance: Callable[[str], None]
) -> list[Row]:
    """Rows of SubmitJob, SubmitJobs and GetJob against Echo in one run."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with api_replica(Path(folder), durability) as cell:
            warm = Load(method=messages.SUBMIT_JOBS, seconds=0.5, in_flight=1, jobs_per_call=100)
            job_ids = (await cell.load.run(warm)).job_ids
            loads = _loads(seconds, job_ids)
            await cell.load.run(loads["Echo"])
            samples: dict[str, list[Sample]] = {name: [] for name in loads}
            for number in range(rounds):
                for name, load in loads.items():
                    samples[name].append(await _sample(cell, load))
                advance(f"{durability}: round {number + 1}")
    return _rows(durability, samples, seconds=time.monotonic() - began_s)


def _loads(seconds: float, job_ids: Sequence[str]) -> dict[str, Load]:
    bulk = Load(
        method=messages.SUBMIT_JOBS,
        seconds=seconds,
        in_flight=BULK_IN_FLIGHT,
        jobs_per_call=JOBS_PER_CALL,
    )
    get = Load(method=messages.GET_JOB, seconds=seconds, in_flight=IN_FLIGHT, job_ids=tuple(job_ids))
    return {
        "Echo": Load(method=messages.ECHO, seconds=seconds, in_flight=IN_FLIGHT),
        "SubmitJob": Load(method=messages.SUBMIT_JOB, seconds=seconds, in_flight=IN_FLIGHT),
        f"SubmitJobs({JOBS_PER_CALL})": bulk,
        "GetJob": get,
    }


async def _sample(cell: BenchCell, load: Load) -> Sample:
    cpu_s, valkey_cpu_s = cell.server.cpu_s(), cell.server.valkey_cpu_s()
    result = await cell.load.run(load)
    items = max(1, result.calls * load.jobs_per_call)
    return Sample(
        cpu_us=(cell.server.cpu_s() - cpu_s) / items * 1e6,
        valkey_cpu_us=(cell.server.valkey_cpu_s() - valkey_cpu_s) / items * 1e6,
        per_s=items / result.seconds,
        p50_ms=result.latencies_ms[0],
        failed=sum(result.failed.values()),
    )


def _rows(durability: Durability, samples: dict[str, list[Sample]], *, seconds: float) -> list[Row]:
    echo, submit = samples["Echo"], samples["SubmitJob"]
    bulk_name = f"SubmitJobs({JOBS_PER_CALL})"
    rows = [_cpu_row("Echo", echo, None, durability, bound=None, seconds=seconds)]
    for name, against, bound in (
        ("SubmitJob", echo, SUBMIT_CPU_MAX),
        (bulk_name, submit, BULK_CPU_MAX),
        ("GetJob", echo, GET_CPU_MAX),
    ):
        rows.append(_cpu_row(name, samples[name], against, durability, bound=bound, seconds=seconds))
    ratios = [one.per_s / other.per_s for one, other in zip(submit, echo, strict=True)]
    rows.append(
        Row(
            benchmark=B7,
            instance=f"SubmitJob {durability}",
            metric="calls per second, to Echo's",
            value=median(sample.per_s for sample in submit),
            ratio=median(ratios),
            bound=SUBMIT_THROUGHPUT_MIN[durability],
            higher_is_better=True,
            seconds=seconds,
            detail={"ratios": ratios, "echo_per_s": median(sample.per_s for sample in echo)},
        )
    )
    return rows


def _cpu_row(
    name: str,
    samples: Sequence[Sample],
    against: Sequence[Sample] | None,
    durability: Durability,
    *,
    bound: float | None,
    seconds: float,
) -> Row:
    ratios = None
    if against is not None:
        ratios = [one.cpu_us / other.cpu_us for one, other in zip(samples, against, strict=True)]
    per = "job, to SubmitJob's" if name.startswith("SubmitJobs") else "call, to Echo's"
    return Row(
        benchmark=B7,
        instance=f"{name} {durability}",
        metric=f"server CPU us per {per}" if ratios else "server CPU us per call",
        value=median(sample.cpu_us for sample in samples),
        ratio=None if ratios is None else median(ratios),
        bound=bound,
        seconds=seconds,
        detail={
            "ratios": ratios,
            "valkey_cpu_us": median(sample.valkey_cpu_us for sample in samples),
            "per_s": median(sample.per_s for sample in samples),
            "p50_ms": median(sample.p50_ms for sample in samples),
            "failed": sum(sample.failed for sample in samples),
        },
    )
