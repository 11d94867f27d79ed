"""What holds of plans in any history: capacity, the guarantee, and that nothing is stopped for nothing."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model.disruption import DisruptionBudget
from scheduler.model.plan import Plan, Snapshot, WorkLimits
from scheduler.model.queue import COST
from scheduler.model.run import Run, RunState
from scheduler.planning.blocks import block_of, chain_of
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.quota_rules import used_after, used_now
from scheduler.planning.verify import violations
from tests.builders import HOUR_MS
from tests.unit.planning.histories import History
from tests.unit.planning.worlds import Draw

SEEDS = st.integers(0, 2**32 - 1)
TURNS = 12
LIMITS = WorkLimits(deterministic_time=0.2)
TIGHT = DisruptionBudget(
    fleet_stops_per_cycle_max=2,
    pool_stops_per_cycle_max=1,
    queue_stops_per_cycle_max=2,
    fleet_stops_per_hour_max=6,
    pool_stops_per_hour_max=4,
    queue_stops_per_hour_max=4,
    preemptions_per_hour_max=1,
)


def planned(snapshot: Snapshot, *, improves: bool) -> Plan:
    floor = floor_plan(snapshot)
    plan = improve(snapshot, floor, limits=LIMITS) if improves else floor
    assert violations(snapshot, plan) == []
    return plan


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_no_pool_is_ever_overfull_and_every_plan_keeps_every_rule(seed: int) -> None:
    draw = Draw(seed)
    history = History(draw)
    for _ in range(TURNS):
        history.something_happens()
        plan = planned(history.snapshot(), improves=draw.is_one_in(4))
        history.carry_out(plan, skip=draw.between(0, 5) if draw.is_one_in(3) else None)
        assert overfull(history) == []


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_stops_stay_within_a_tight_budget(seed: int) -> None:
    history = History(Draw(seed), disruption=TIGHT)
    for _ in range(TURNS):
        history.something_happens()
        history.carry_out(planned(history.snapshot(), improves=False))
        recent = [each for each in history.recent if history.now_ms - each.at_ms < HOUR_MS]
        times = Counter(each.at_ms for each in recent)
        assert len(recent) <= TIGHT.fleet_stops_per_hour_max
        assert max(times.values(), default=0) <= TIGHT.fleet_stops_per_cycle_max
        assert max(Counter(each.pool_id for each in recent).values(), default=0) <= 4


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_what_a_plan_says_is_used_afterwards_is_what_the_next_one_starts_from(seed: int) -> None:
    """Quota passes from what is stopped to what waits for it, once."""
    history = History(Draw(seed))
    for _ in range(TURNS):
        history.something_happens()
        snapshot = history.snapshot()
        plan = planned(snapshot, improves=False)
        said = used_after(snapshot, plan)
        history.carry_out(plan)
        used = used_now(history.snapshot())
        for line in {*said, *used}:
            rounding = len(plan.places) + len(history.runs) if line[1] == COST else 0
            assert said[line] - rounding <= used[line] <= said[line], line


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_time_alone_stops_nothing(seed: int) -> None:
    """But for what ends at a time: protection, back-offs, grace periods, hours, beliefs. Here none does."""
    draw = Draw(seed)
    history = History(draw, disruption=DisruptionBudget(preemptions_per_hour_max=1_000))
    history.believe_everything()
    for _ in range(TURNS):
        history.something_happens()
        history.unprotect()
        history.carry_out(planned(history.snapshot(), improves=False))
        for _ in range(3):
            history.now_ms += draw.between(1, 60_000)
            again = planned(history.snapshot(), improves=False)
            assert again.stops == ()
            assert [place for place in again.places if place.after_runs] == []
            history.carry_out(again)


def overfull(history: History) -> list[str]:
    """Nodes, slices and limits that hold more than they have, of what may run now."""
    found = []
    for pool in history.pools:
        runs = [run for run in history.runs.values() if run.pool_id == pool.id and is_here(history, run)]
        sizes = list(pool.spec.node_devices()) or [1 for _ in pool.spec.slices()]
        used = Counter[int]()
        for run in runs:
            for share in run.placement.nodes:
                used[share.node] += devices(run, sizes) * share.tasks if pool.spec.node_groups else 1
        found += [f"{pool.id}/{node}" for node, many in used.items() if many > sizes[node]]
        limit = pool.spec.limit_accelerators
        if limit is not None and sum(run.placement.accelerators for run in runs) > limit:
            found.append(pool.id)
    return found


def is_here(history: History, run: Run) -> bool:
    return run.state is not RunState.PLACED or not history.awaited(run)


def devices(run: Run, sizes: list[int]) -> int:
    return block_of(run.placement.devices_per_task, chain_of(sizes)) or 0
