"""What came of a trace: waits, utilisation, cost, fairness; from the commits alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.model.ids import JobId, PoolId, RunId
from scheduler.model.job import Job
from scheduler.model.pool import Pool, PoolSpec
from scheduler.model.run import Run
from scheduler.model.transaction import Commit

HOUR_MS = 3_600_000
MICROS = 1_000_000
PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """Of a priority class; waits from submission to the first task running, in seconds."""

    priority_class: str
    jobs: int
    never_ran: int
    wait_s: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """Of a pool, over the whole time of the trace."""

    pool: str
    accelerators: int
    accelerator_hours: float
    utilisation: float
    charged_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """Of a queue until the last submission: what it got of what it had asked for by then.

    Attributes:
        asked_hours: accelerator-hours of its jobs, each on the way that it was given or its fastest.
        share: got over asked, at most 1.
    """

    queue: str
    jobs: int
    asked_hours: float
    got_hours: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything that is reported.

    Attributes:
        jain: Jain's index of the queues' shares; 1 when all got the same share of what they asked for.
    """

    jobs: int
    finished: int
    virtual_hours: float
    charged_usd: float
    jain: float
    classes: Sequence[ClassFigures]
    pools: Sequence[PoolFigures]
    queues: Sequence[QueueFigures]


@dataclass(slots=True)
class Known:
    """The newest of everything that there ever was."""

    jobs: dict[JobId, Job] = field(default_factory=dict)
    runs: dict[RunId, Run] = field(default_factory=dict)
    pools: dict[PoolId, PoolSpec] = field(default_factory=dict)


def figures_of(commits: Iterable[Commit]) -> Figures:
    """Times are of the one service process that there was."""
    known = _known(commits)
    began_ms = min(job.submitted_at_ms for job in known.jobs.values())
    last_ms = max(job.submitted_at_ms for job in known.jobs.values())
    ended_ms = max([last_ms, *(run.ended_at_ms or 0 for run in known.runs.values())])
    pools = [_pool(known, pool_id, span_ms=max(1, ended_ms - began_ms)) for pool_id in known.pools]
    queues = _queues(known, until_ms=last_ms)
    return Figures(
        jobs=len(known.jobs),
        finished=sum(job.is_finished for job in known.jobs.values()),
        virtual_hours=(ended_ms - began_ms) / HOUR_MS,
        charged_usd=sum(pool.charged_usd for pool in pools),
        jain=jain([queue.share for queue in queues if queue.asked_hours > 0]),
        classes=_classes(known),
        pools=pools,
        queues=queues,
    )


def jain(shares: Sequence[float]) -> float:
    """From 1 / n, when one has all, to 1, when all have the same; 1 where there is nothing to share."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest value that is not exceeded by so many percent; `ordered` ascending, not empty."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _known(commits: Iterable[Commit]) -> Known:
    known = Known()
    for commit in commits:
        for record in commit.records:
            match record.entity:
                case Job() as job:
                    known.jobs[job.id] = job
                case Run() as run:
                    known.runs[run.id] = run
                case Pool() as pool:
                    known.pools[pool.id] = pool.spec
                case _:
                    pass
    return known


def _classes(known: Known) -> list[ClassFigures]:
    first_ms: dict[JobId, int] = {}
    for run in known.runs.values():
        if run.running_at_ms is not None:
            first_ms[run.job_id] = min(first_ms.get(run.job_id, run.running_at_ms), run.running_at_ms)
    waits: dict[str, list[float]] = defaultdict(list)
    jobs: dict[str, int] = defaultdict(int)
    for job in known.jobs.values():
        jobs[job.spec.priority_class] += 1
        if job.id in first_ms:
            waits[job.spec.priority_class].append((first_ms[job.id] - job.submitted_at_ms) / 1000)
    return [
        ClassFigures(
            priority_class=name,
            jobs=jobs[name],
            never_ran=jobs[name] - len(waits[name]),
            wait_s={f"p{p}": percentile(sorted(waits[name]), p) for p in PERCENTILES if waits[name]},
        )
        for name in sorted(jobs)
    ]


def _pool(known: Known, pool_id: PoolId, *, span_ms: int) -> PoolFigures:
    runs = [run for run in known.runs.values() if run.pool_id == pool_id]
    hours = sum(run.placement.accelerators * _held_ms(run) for run in runs) / HOUR_MS
    charged = sum(run.placement.charged_usd_micros_per_hour * _held_ms(run) for run in runs)
    size = accelerators_of(known.pools[pool_id])
    return PoolFigures(
        pool=pool_id,
        accelerators=size,
        accelerator_hours=hours,
        utilisation=hours * HOUR_MS / (size * span_ms),
        charged_usd=charged / HOUR_MS / MICROS,
    )


def accelerators_of(spec: PoolSpec) -> int:
    """All of a pool; the limit of one that is rented without nodes or slices of its own."""
    nodes = sum(group.nodes * group.devices_per_node for group in spec.node_groups)
    slices = sum(group.slices * group.accelerators_per_slice for group in spec.slice_groups)
    return nodes + slices or spec.limit_accelerators or 1


def _held_ms(run: Run, *, until_ms: int | None = None) -> int:
    """How long the run held its accelerators: from its placement on."""
    ends = [at_ms for at_ms in (run.ended_at_ms, until_ms) if at_ms is not None]
    return max(0, min(ends) - run.placed_at_ms) if ends else 0


def _queues(known: Known, *, until_ms: int) -> list[QueueFigures]:
    asked_ms: dict[str, int] = defaultdict(int)
    got_ms: dict[str, int] = defaultdict(int)
    jobs: dict[str, int] = defaultdict(int)
    given = {run.job_id: run.placement.alternative_index for run in known.runs.values()}
    for job in known.jobs.values():
        jobs[job.spec.queue] += 1
        asked_ms[job.spec.queue] += _asked_ms(job, given.get(job.id), until_ms=until_ms)
    for run in known.runs.values():
        queue = known.jobs[run.job_id].spec.queue
        got_ms[queue] += run.placement.accelerators * _held_ms(run, until_ms=until_ms)
    return [
        QueueFigures(
            queue=name,
            jobs=jobs[name],
            asked_hours=asked_ms[name] / HOUR_MS,
            got_hours=got_ms[name] / HOUR_MS,
            share=min(1.0, got_ms[name] / asked_ms[name]) if asked_ms[name] else 1.0,
        )
        for name in sorted(jobs)
    ]


def _asked_ms(job: Job, given: int | None, *, until_ms: int) -> int:
    """Accelerator-milliseconds that the job could have had by then, had it started at once."""
    ways = job.spec.alternatives
    fastest = max(ways, key=lambda way: way.gang_speed_permille)
    way = fastest if given is None else ways[given]
    estimated_ms = 0 if job.spec.training is None else job.spec.training.estimated_duration_ms or 0
    whole_ms = estimated_ms * fastest.gang_speed_permille // way.gang_speed_permille
    return way.accelerators * max(0, min(whole_ms, until_ms - job.submitted_at_ms))
