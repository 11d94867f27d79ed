"""Histories: a small fleet that plans are carried out on, step by step, while jobs come and runs end."""

from collections.abc import Sequence
from dataclasses import replace

from scheduler.model.brakes import Freeze, FreezeScope, Hold
from scheduler.model.disruption import DisruptionBudget
from scheduler.model.guidance import Guidance
from scheduler.model.ids import AcceleratorName, QueueName, ReplicaId, RunId
from scheduler.model.job import Constraints, Job, Market
from scheduler.model.occupancy import is_waiting
from scheduler.model.plan import (
    Plan,
    PlannedPool,
    RecentStop,
    RunningReplica,
    Snapshot,
    Usage,
    WaitingReplica,
)
from scheduler.model.pool import Availability, Cordon, NodeCordon, PendingPrice, Pool, PoolStatus
from scheduler.model.queue import COST, Cohort, Queue, Quota
from scheduler.model.replica import Preemption, Replica
from scheduler.model.run import EndReason, Run, RunState
from tests.builders import (
    DOLLAR,
    HOUR_MS,
    NOW_MS,
    PRINCIPAL,
    PRIORITY_CLASSES,
    VERSION,
    a_cohort,
    a_job,
    a_pin,
    a_pool,
    a_queue,
    a_quota,
    a_rented_pool,
    a_replica,
    a_run,
    a_slice_pool,
    an_alternative,
    with_queues,
)
from tests.unit.planning.worlds import Draw

GANGS = ("h100:1", "h100:2", "h100:3", "h100:4", "h100:4", "h100:8", "h100:16", "tpu:2x2", "tpu:2x4")
CLASSES = ("frontier", "standard", "batch", "batch")
WAITS_MS_MAX = 400_000
GENEROUS = DisruptionBudget()


class History:
    """What lives and what waits, as the leader would keep it."""

    def __init__(self, draw: Draw, *, disruption: DisruptionBudget = GENEROUS) -> None:
        self._draw, self.disruption, self.now_ms = draw, disruption, NOW_MS
        self.pools = [some_pool(draw, number) for number in range(draw.between(1, 3))]
        self.jobs: dict[str, Job] = {}
        self.replicas: dict[ReplicaId, Replica] = {}
        self.runs: dict[RunId, Run] = {}
        self.recent: list[RecentStop] = []
        self.freezes: list[Freeze] = []
        self.guidance = Guidance()
        self.holders = some_holders(draw) if draw.is_one_in(2) else []

    # --- what planning sees ---

    def snapshot(self) -> Snapshot:
        live = {run.replica_id for run in self.runs.values()}
        waiting = [r for r in self.replicas.values() if r.id not in live]
        most = max((self._worth(self.jobs[r.job_id]) for r in waiting), default=0)
        running = [
            run
            for run in self.runs.values()
            if run.state is RunState.STOPPING or self._worth(self.jobs[run.job_id]) < most
        ]
        snapshot = Snapshot(
            revision=VERSION,
            now_ms=self.now_ms,
            pools=tuple(self._planned(pool) for pool in sorted(self.pools, key=lambda pool: pool.id)),
            waiting=tuple(
                WaitingReplica(
                    replica=replica,
                    job=self.jobs[replica.job_id],
                    replica_version=VERSION,
                    job_planning_version=VERSION,
                )
                for replica in sorted(waiting, key=lambda replica: replica.id)
            ),
            priority_classes=PRIORITY_CLASSES,
            freezes=tuple(self.freezes),
            guidance=self.guidance,
            running=tuple(
                RunningReplica(
                    run=run,
                    replica=self.replicas[run.replica_id],
                    job=self.jobs[run.job_id],
                    run_version=VERSION,
                    replica_version=VERSION,
                    job_planning_version=VERSION,
                )
                for run in sorted(running, key=lambda run: run.id)
            ),
            recent_stops=tuple(each for each in self.recent if self.now_ms - each.at_ms < HOUR_MS),
            disruption=self.disruption,
        )
        return with_queues(snapshot, *self.holders, usage=self.usage())

    def usage(self) -> list[Usage]:
        """What runs use, but for those whose room another waits for."""
        ending = {each for run in self.runs.values() if is_waiting(run) for each in self.awaited(run)}
        lines: dict[tuple[QueueName, AcceleratorName], list[Run]] = {}
        for run in self.runs.values():
            if run.id not in ending:
                line = (self.jobs[run.job_id].spec.queue, run.placement.accelerator)
                lines.setdefault(line, []).append(run)
        return [
            Usage(
                queue=queue,
                accelerator=accelerator,
                accelerators=sum(run.placement.accelerators for run in runs),
                charged_usd_micros_per_hour=sum(run.placement.charged_usd_micros_per_hour for run in runs),
                useful_permille=sum(self._useful_permille(run) for run in runs),
            )
            for (queue, accelerator), runs in lines.items()
        ]

    def _useful_permille(self, run: Run) -> int:
        ways = self.jobs[run.job_id].spec.alternatives
        return ways[run.placement.alternative_index].gang_speed_permille

    def _worth(self, job: Job) -> int:
        return PRIORITY_CLASSES[job.spec.priority_class].worth_usd_micros

    def _planned(self, pool: Pool) -> PlannedPool:
        runs = [run for run in self.runs.values() if run.pool_id == pool.id]
        return PlannedPool(
            pool=pool,
            planning_version=VERSION,
            live_runs=tuple(sorted(runs, key=lambda run: run.id)),
        )

    # --- what the leader does ---

    def carry_out(self, plan: Plan, *, skip: int | None = None) -> None:
        """Every step but one, as if that had been refused."""
        for number, step in enumerate(plan.steps):
            if number == skip:
                continue
            for stop in step.stops:
                self._stop(self.runs[stop.run_id])
            for place in step.places:
                replica = self.replicas[place.replica_id]
                run = a_run(
                    self.jobs[replica.job_id],
                    next(pool for pool in self.pools if pool.id == place.placement.pool_id),
                    index=replica.index,
                    run_number=replica.run_number + 1,
                    placement=place.placement,
                    state=RunState.PLACED,
                    after_runs=place.after_runs,
                    placed_at_ms=self.now_ms,
                )
                self.runs[run.id] = run
                self.replicas[replica.id] = replace(replica, run_number=run.run_number)

    def _stop(self, run: Run) -> None:
        replica, queue = self.replicas[run.replica_id], self.jobs[run.job_id].spec.queue
        remembered = (*replica.preemptions, Preemption(self.now_ms, run.pool_id))
        self.replicas[replica.id] = replace(replica, preemptions=remembered)
        self.recent.append(RecentStop(self.now_ms, run.pool_id, queue))
        if run.state is RunState.PLACED:
            del self.runs[run.id]
        else:
            self.runs[run.id] = self._stopping(run, EndReason.PREEMPTED)

    def _stopping(self, run: Run, reason: EndReason) -> Run:
        return replace(run, state=RunState.STOPPING, stop_reason=reason, stop_requested_at_ms=self.now_ms)

    # --- what happens by itself ---

    def something_happens(self) -> None:
        """Jobs come, offers are claimed, runs begin, end or are cancelled, and time goes by."""
        for _ in range(self._draw.between(0, 4)):
            self.job_comes()
        for run in list(self.runs.values()):
            self._happens_to(run)
        if self._draw.is_one_in(6):
            self.freezes = [] if self.freezes else [a_freeze(self._draw, self.pools)]
        if self._draw.is_one_in(4):
            number = self._draw.between(0, len(self.pools) - 1)
            self.pools[number] = changed(self.pools[number], self._draw)
        prices = ((pool.id, self._draw.of((0, 0, 3 * DOLLAR))) for pool in self.pools)
        self.guidance = Guidance(shadow_prices=tuple(sorted(each for each in prices if each[1])))
        self.now_ms += self._draw.between(0, WAITS_MS_MAX)

    def job_comes(self) -> None:
        draw, number = self._draw, len(self.jobs)
        gangs = sorted({draw.of(GANGS) for _ in range(draw.between(1, 2))})
        job = a_job(
            f"job-{number}",
            *(an_alternative(gang, speed_permille=draw.of((700, 1000, 1300))) for gang in gangs),
            priority_class=draw.of(CLASSES),
            duration_ms=draw.of((None, None, HOUR_MS)),
            constraints=Constraints(
                denied_pools=(draw.of(self.pools).id,) if draw.is_one_in(5) else (),
                markets=(Market.RESERVED,) if draw.is_one_in(8) else (),
            ),
            queue=draw.of(("red", "blue")),
            preemptible=not draw.is_one_in(6),
            min_runtime_ms=draw.of((0, 0, WAITS_MS_MAX)),
        )
        if draw.is_one_in(10):
            job = replace(job, hold=Hold(reason="", principal=PRINCIPAL, held_at_ms=NOW_MS))
        self.jobs[job.id] = job
        not_before_ms = self.now_ms + HOUR_MS // 12 if draw.is_one_in(12) else 0
        pin = a_pin(draw.of(self.pools).id) if draw.is_one_in(10) else None
        replica = a_replica(job, waiting_since_ms=self.now_ms, not_before_ms=not_before_ms, pin=pin)
        self.replicas[replica.id] = replica

    def believe_everything(self) -> None:
        """Providers have all that their limits allow."""
        full = Availability(accelerators=1_000, changed_at_ms=NOW_MS)
        self.pools = [
            replace(pool, availability=full) if pool.spec.is_rented else pool for pool in self.pools
        ]

    def unprotect(self) -> None:
        """Nothing changes by time alone: no protection ends, no back-off, no grace period."""
        for job in self.jobs.values():
            spec = replace(job.spec, min_runtime_ms=0, grace_period_ms=100 * HOUR_MS)
            self.jobs[job.id] = replace(job, spec=spec)
        for replica in self.replicas.values():
            self.replicas[replica.id] = replace(replica, not_before_ms=0)

    def _happens_to(self, run: Run) -> None:
        match run.state:
            case RunState.PLACED if not self.awaited(run) and self._draw.is_one_in(2):
                self.runs[run.id] = replace(run, state=RunState.STARTING)
            case RunState.STARTING if self._draw.is_one_in(2):
                self.runs[run.id] = replace(run, state=RunState.RUNNING, running_at_ms=self.now_ms)
            case RunState.STOPPING if self._draw.is_one_in(2):
                del self.runs[run.id]
            case RunState.RUNNING if self._draw.is_one_in(8):
                del self.runs[run.id]
                del self.replicas[run.replica_id]
            case RunState.RUNNING if self._draw.is_one_in(12):
                self.runs[run.id] = self._stopping(run, EndReason.TIMEOUT)
            case _:
                pass

    def awaited(self, run: Run) -> set[RunId]:
        return {run_id for run_id in run.after_runs if run_id in self.runs}


def some_pool(draw: Draw, number: int) -> Pool:
    kind = draw.of(("nodes", "nodes", "nodes", "rented", "slices", "made"))
    name, limit = f"{kind}-{number}", draw.between(4, 24)
    if kind == "nodes":
        down = (0,) if draw.is_one_in(8) else ()
        return a_pool(
            name, nodes=draw.between(1, 4), devices_per_node=draw.of((4, 8, 8)), unavailable_nodes=down
        )
    price = {"price_usd_micros_per_accelerator_hour": draw.of((0, DOLLAR // 2))}
    if kind == "rented":
        return a_rented_pool(name, limit_accelerators=limit, believed=draw.between(1, limit), **price)
    if kind == "slices":
        return a_slice_pool(name, "tpu", slices={"2x2": draw.between(1, 3), "2x4": draw.between(1, 2)})
    return a_rented_pool(name, "tpu", limit_accelerators=limit, nodes=0, **price)


def some_holders(draw: Draw) -> list[Queue | Cohort]:
    """Two queues with quotas that are soon used up, alone or in a cohort."""
    cohort = draw.of((None, "cohort", "cohort"))
    queues: list[Queue | Cohort] = [
        a_queue(name, *some_quotas(draw), cohort=cohort) for name in ("red", "blue")
    ]
    return queues if cohort is None else [*queues, a_cohort(cohort, *some_quotas(draw))]


def some_quotas(draw: Draw) -> list[Quota]:
    quotas = []
    for resource, unit in (("h100", 1), ("tpu", 1), (COST, 2_000)):
        if draw.is_one_in(2):
            limits = {
                name: unit * draw.between(0, 8)
                for name in ("borrowing_limit", "lending_limit")
                if draw.is_one_in(3)
            }
            quotas.append(a_quota(unit * draw.between(0, 24), resource, **limits))
    return quotas


def changed(pool: Pool, draw: Draw) -> Pool:
    """Cordoned, as a whole or a node, unready, with a node down, with a jump, or as it should be."""
    cordon = Cordon(reason="", principal=PRINCIPAL, cordoned_at_ms=NOW_MS)
    of_node = NodeCordon(node=0, cordon=cordon)
    price = PendingPrice(usd_micros_per_accelerator_hour=9 * DOLLAR, principal=PRINCIPAL, asked_at_ms=NOW_MS)
    down, ready = PoolStatus(ready=True, unavailable_nodes=(0,)), PoolStatus(ready=True)
    return draw.of(
        (
            replace(pool, cordon=cordon),
            replace(pool, status=PoolStatus(ready=False)),
            replace(pool, status=down),
            replace(pool, pending_price=price),
            replace(pool, node_cordons=(of_node,)) if not pool.spec.is_sliced_on_demand else pool,
            *([replace(pool, cordon=None, status=ready, node_cordons=(), pending_price=None)] * 3),
        )
    )


def a_freeze(draw: Draw, pools: Sequence[Pool]) -> Freeze:
    scope, target = draw.of(
        (
            (FreezeScope.QUEUE, "red"),
            (FreezeScope.QUEUE, "blue"),
            (FreezeScope.POOL, pools[0].id),
            (FreezeScope.CELL, ""),
        )
    )
    return Freeze(
        scope=scope,
        target=target,
        reason="",
        principal=PRINCIPAL,
        frozen_at_ms=0,
    )
