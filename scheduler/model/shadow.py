"""Shadow mode: what a plan would have placed, beside what runs; docs/decisions/shadow.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scheduler.model.deferral import Deferral, DeferralReason
from scheduler.model.ids import PoolId
from scheduler.model.plan import Plan, Step, Stop
from scheduler.model.run import Placement
from scheduler.model.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Placements, summed up.

    Attributes:
        value_usd_micros_per_hour: their terms in the plan's objective: worth, net of marginal cost.
        charged_usd_micros_per_hour: what all their accelerators are charged.
    """

    placements: int
    accelerators: int
    value_usd_micros_per_hour: int
    charged_usd_micros_per_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What one plan would have added, and what runs; whole and by pool, of pools that have any.

    Attributes:
        stopped: of what runs, what the plan would have stopped for it.
        stops: each such run, and the replica that would have got its room.
    """

    planned: Figures
    running: Figures
    stopped: Figures
    stops: tuple[Stop, ...]
    pools: tuple[tuple[PoolId, Figures, Figures], ...]


def figures_of(placements: Iterable[Placement]) -> Figures:
    each = list(placements)
    return Figures(
        placements=len(each),
        accelerators=sum(placement.accelerators for placement in each),
        value_usd_micros_per_hour=sum(placement.term_usd_micros_per_hour for placement in each),
        charged_usd_micros_per_hour=sum(placement.charged_usd_micros_per_hour for placement in each),
    )


def compared(state: State, steps: Sequence[Step]) -> Comparison:
    """The steps beside the live runs, offers among them; pools by id."""
    planned = [place.placement for step in steps for place in step.places]
    running = [run.placement for run in state.all_live_runs()]
    stops = tuple(stop for step in steps for stop in step.stops)
    stopped = [run.placement for run in (state.run(stop.run_id) for stop in stops) if run is not None]
    pool_ids = sorted({placement.pool_id for placement in (*planned, *running)})
    return Comparison(
        planned=figures_of(planned),
        running=figures_of(running),
        stopped=figures_of(stopped),
        stops=stops,
        pools=tuple(
            (
                pool_id,
                figures_of(placement for placement in planned if placement.pool_id == pool_id),
                figures_of(placement for placement in running if placement.pool_id == pool_id),
            )
            for pool_id in pool_ids
        ),
    )


def only_told(plan: Plan, steps: Sequence[Step]) -> Plan:
    """The plan without steps: what the steps would have placed is told so instead."""
    told = [
        (
            place.replica_id,
            Deferral(
                reason=DeferralReason.SHADOW,
                pool_id=place.placement.pool_id,
                accelerators_needed=place.placement.accelerators,
                planned_revision=plan.revision,
            ),
        )
        for step in steps
        for place in step.places
    ]
    return replace(
        plan, steps=(), deferrals=tuple(sorted((*plan.deferrals, *told), key=lambda each: each[0]))
    )
