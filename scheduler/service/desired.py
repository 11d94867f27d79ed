"""What a launcher should do: its pools and the runs on them, as they should be. Level-triggered."""

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.model.ids import LauncherId, PoolId, RunId
from scheduler.model.job import LaunchedBy
from scheduler.model.occupancy import awaited_by
from scheduler.model.pool import Pool, PoolSpec
from scheduler.model.run import EndReason, Placement, Run, RunState
from scheduler.model.state import State
from scheduler.model.transitions.sessions import served_pools


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredRun:
    """A run as it should be.

    Attributes:
        run_token: once it is claimed; 0 before.
        stop_reason: why it should stop; None: it should run.
    """

    run_id: RunId
    generation: int
    claimed: bool
    run_token: int
    placement: Placement
    stop_reason: EndReason | None
    grace_period_ms: int


@dataclass(frozen=True, slots=True)
class ServedPool:
    """A pool to serve; one that was deleted and made again is another: its launcher tells its status anew."""

    spec: PoolSpec
    made_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """Everything a launcher should serve and hold, by id."""

    pools: Mapping[PoolId, ServedPool]
    runs: Mapping[RunId, DesiredRun]


def desired(state: State, launcher_id: LauncherId) -> Desired:
    """The launcher's pools and their live runs.

    Runs that submitters launch themselves are left out, and placements whose room others still hold.
    """
    pools = served_pools(state, launcher_id)
    runs = [run for pool in pools for run in _launched_here(state, pool)]
    return Desired(
        pools={pool.id: ServedPool(pool.spec, pool.made_at_ms) for pool in pools},
        runs={run.id: _desired_run(run) for run in runs},
    )


def _launched_here(state: State, pool: Pool) -> list[Run]:
    runs = []
    for run in state.live_runs(pool.id):
        job = state.job(run.job_id)
        assert job is not None, run
        if job.spec.launched_by is LaunchedBy.POOL and not awaited_by(state, run):
            runs.append(run)
    return runs


def _desired_run(run: Run) -> DesiredRun:
    return DesiredRun(
        run_id=run.id,
        generation=run.generation,
        claimed=run.state is not RunState.PLACED,
        run_token=run.run_token if run.claimed_by is not None else 0,
        placement=run.placement,
        stop_reason=run.stop_reason,
        grace_period_ms=run.grace_period_ms,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What has changed between two desires, each part by id."""

    pools: tuple[tuple[PoolId, PoolSpec], ...]
    removed_pools: tuple[PoolId, ...]
    runs: tuple[DesiredRun, ...]
    released: tuple[RunId, ...]


NOTHING_DESIRED = Desired(pools={}, runs={})


def delta(before: Desired, after: Desired) -> Delta:
    """What brings a launcher from one desire to the next; pools come before the runs on them."""
    return Delta(
        pools=tuple(
            (i, after.pools[i].spec) for i in sorted(after.pools) if before.pools.get(i) != after.pools[i]
        ),
        removed_pools=tuple(sorted(before.pools.keys() - after.pools.keys())),
        runs=tuple(after.runs[i] for i in sorted(after.runs) if before.runs.get(i) != after.runs[i]),
        released=tuple(sorted(before.runs.keys() - after.runs.keys())),
    )
