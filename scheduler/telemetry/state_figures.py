"""Figures of the whole state: samples of each series of `state_series`, by label values."""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from typing import TypeAlias

from scheduler.model.brakes import FreezeScope
from scheduler.model.deferral import DeferralReason
from scheduler.model.ids import JobId, QueueName
from scheduler.model.job import Job, JobPhase
from scheduler.model.jumps import JumpOf, unconfirmed_jumps
from scheduler.model.pool import Pool
from scheduler.model.records import Kind, key_of
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Run, RunState
from scheduler.model.session import LauncherSession
from scheduler.model.state import State
from scheduler.model.view import phase_of
from scheduler.telemetry.pool_figures import Use, pool_figures
from scheduler.telemetry.quota_figures import add_quotas
from scheduler.telemetry.session_state import SessionState, session_state

USD_MICROS = 1_000_000
JOBS_PER_SLICE = 200  # a few milliseconds
LIVE_STATES = (ReplicaState.WAITING, ReplicaState.PLACED, ReplicaState.RUNNING)
LIVE_RUN_STATES = tuple(state for state in RunState if state is not RunState.ENDED)

Samples: TypeAlias = dict[str, dict[tuple[str, ...], float]]
"""Values by series name and label values, in the order of the series' labels."""


def samples_in_slices(
    state: State, *, now_ms: int, lines: Iterable[tuple[str, str]], queue_label: Callable[[QueueName], str]
) -> Generator[None, None, Samples]:
    """Every sample of a state; each of `lines`, (queue, priority class), has one even when empty.

    Yields after each so many jobs, and the state may move on meanwhile: a job counts as it is when its
    turn comes.
    """
    samples: Samples = defaultdict(lambda: defaultdict(float))
    _start_at_zero(samples, lines)
    for number, record in enumerate(state.records(Kind.JOB)):
        if number % JOBS_PER_SLICE == JOBS_PER_SLICE - 1:
            yield
        job = state.job(JobId(key_of(record.entity).id))
        if job is not None:
            _add_job(samples, job, state, now_ms, queue_label(job.spec.queue))
    shadow_prices = dict(state.guidance().shadow_prices)
    for pool in state.pools():
        _add_pool(samples, pool, state.live_runs(pool.id), now_ms)
        shadow_price = shadow_prices.get(pool.id, 0) / USD_MICROS
        samples["pool_shadow_price_usd_per_accelerator_hour"][_pool_labels(pool)] = shadow_price
    yield from add_quotas(samples["queue_quota"], state, queue_label=queue_label)
    _add_sessions(samples, state.sessions())
    for scope in FreezeScope:
        samples["frozen"][scope,] = sum(freeze.scope is scope for freeze in state.freezes())
    return samples


def _start_at_zero(samples: Samples, lines: Iterable[tuple[str, str]]) -> None:
    for line in lines:
        samples["oldest_wait_seconds"][line] = 0
        samples["waiting_accelerators"][line] = 0
        for state in LIVE_STATES:
            samples["replicas"][state, *line] = 0
    for reason in DeferralReason:
        samples["deferred_replicas"][reason,] = 0
    for phase in JobPhase:
        samples["jobs"][phase,] = 0


def _add_job(samples: Samples, job: Job, state: State, now_ms: int, queue: str) -> None:
    if job.is_finished:
        samples["jobs"][phase_of(job, []),] += 1
        return
    replicas = state.replicas_of(job)
    samples["jobs"][phase_of(job, replicas),] += 1
    line = (queue, job.spec.priority_class)
    for replica in replicas:
        if replica.state is not ReplicaState.DONE:
            samples["replicas"][replica.state, *line] += 1
    _add_waiting(samples, job, replicas, line, now_ms)


def _add_waiting(
    samples: Samples, job: Job, replicas: list[Replica], line: tuple[str, str], now_ms: int
) -> None:
    """Replicas that have not been made yet wait too."""
    waiting = [replica for replica in replicas if replica.state is ReplicaState.WAITING]
    unmade = job.spec.replicas - len(replicas)
    if not waiting and not unmade:
        return
    for replica in waiting:
        reason = DeferralReason.NOT_PLANNED_YET if replica.deferral is None else replica.deferral.reason
        samples["deferred_replicas"][reason,] += 1
    samples["deferred_replicas"][DeferralReason.NOT_PLANNED_YET,] += unmade
    samples["replicas"][ReplicaState.WAITING, *line] += unmade
    accelerators = min(alternative.accelerators for alternative in job.spec.alternatives)
    samples["waiting_accelerators"][line] += accelerators * (len(waiting) + unmade)
    since_ms = min([r.waiting_since_ms for r in waiting] + [job.submitted_at_ms] * bool(unmade))
    oldest = samples["oldest_wait_seconds"]
    oldest[line] = max(oldest[line], (now_ms - since_ms) / 1_000)


def _pool_labels(pool: Pool) -> tuple[str, ...]:
    return (pool.id, pool.spec.accelerator, pool.spec.provider, pool.spec.market)


def _add_pool(samples: Samples, pool: Pool, runs: list[Run], now_ms: int) -> None:
    figures, labels = pool_figures(pool, runs, now_ms=now_ms), _pool_labels(pool)
    values = {
        "pool_accelerators": figures.usable,
        "pool_accelerators_used": figures.used,
        "pool_accelerators_free": figures.free,
        "pool_open": int(pool.is_open),
        "pool_nodes_cordoned": len(pool.node_cordons),
        "pool_price_usd_per_accelerator_hour": pool.spec.price_usd_micros_per_accelerator_hour / USD_MICROS,
    }
    for name, value in values.items():
        samples[name][labels] = value
    if figures.believed_free is not None:
        samples["pool_accelerators_believed_free"][labels] = figures.believed_free
    cost = samples["pool_cost_usd_per_hour"]
    cost[*labels, Use.USED] = figures.used_usd_micros_per_hour / USD_MICROS
    cost[*labels, Use.IDLE] = figures.idle_usd_micros_per_hour / USD_MICROS
    jumps = {jump.what for jump in unconfirmed_jumps(pool)}
    for what in JumpOf:
        samples["pool_jumps_unconfirmed"][pool.id, what] = what in jumps
    for run_state in LIVE_RUN_STATES:
        samples["runs"][pool.id, run_state] = sum(run.state is run_state for run in runs)


def _add_sessions(samples: Samples, sessions: Iterable[LauncherSession]) -> None:
    for kind in SessionState:
        samples["launcher_sessions"][kind,] = 0
    for session in sessions:
        samples["launcher_sessions"][session_state(session),] += 1
