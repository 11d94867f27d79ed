"""Each rule decides where replicas go: a case where it lets one through and one where it does not."""

from dataclasses import dataclass

import pytest

from scheduler.model.job import Constraints, Job, Location, Market
from scheduler.model.plan import Snapshot, WorkLimits
from scheduler.model.pool import DECAY_PERIOD_MS, Availability, Pool
from scheduler.model.run import NodeShare, Run, RunState
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.verify import violations
from tests.builders import (
    DOLLAR,
    HOUR_MS,
    NOW_MS,
    a_job,
    a_pool,
    a_rented_pool,
    a_run,
    a_slice_pool,
    a_snapshot,
    a_waiting_replica,
    an_alternative,
)

HERE, THERE = a_pool("here"), a_pool("there", provider="aws", region="us-east-2", zone="use2-az1")
SMALL = a_pool("small")
DOUBTED = a_rented_pool("doubted", believed=4)
RECOVERED = a_rented_pool(
    "recovered", availability=Availability(accelerators=4, changed_at_ms=NOW_MS - DECAY_PERIOD_MS)
)
PRICEY = a_rented_pool("pricey", price_usd_micros_per_accelerator_hour=12 * DOLLAR)
TWO_NODES = a_pool("two", nodes=2)
SLICES = a_slice_pool("slices", slices={"2x2x1": 1, "4x4x4": 1})
ON_DEMAND_SLICES = a_rented_pool("made", "tpu-v5p", limit_accelerators=64, nodes=0)


def only(**fields: object) -> Job:
    return a_job("job", constraints=Constraints(**fields))  # type: ignore[arg-type]  # any one field


@dataclass(frozen=True, kw_only=True)
class Case:
    """Jobs and pools, and which pool each replica gets; a replica that is not named waits."""

    id: str
    jobs: tuple[Job, ...] = (a_job("job"),)
    pools: tuple[Pool, ...]
    runs: tuple[Run, ...] = ()
    placed: dict[str, str]


def busy(pool: Pool, gang: str, **fields: object) -> Run:
    return a_run(a_job("busy", gang), pool, **fields)


CASES = [
    Case(id="open_pool_takes_it", pools=(SMALL,), placed={"job-0": "small"}),
    Case(id="cordoned_pool_does_not", pools=(a_pool(cordoned=True),), placed={}),
    Case(id="deleting_pool_does_not", pools=(a_pool(deleting=True),), placed={}),
    Case(id="pool_without_launcher_does_not", pools=(a_pool(ready=False),), placed={}),
    Case(id="other_accelerator_does_not", pools=(a_pool("a", "a100"),), placed={}),
    Case(
        id="worthier_job_takes_the_last_node",
        jobs=(a_job("low", priority_class="batch"), a_job("high", priority_class="frontier")),
        pools=(SMALL,),
        placed={"high-0": "small"},
    ),
    Case(
        id="ties_go_to_the_lower_id",
        jobs=(a_job("b"), a_job("a")),
        pools=(SMALL,),
        placed={"a-0": "small"},
    ),
    Case(
        id="service_gets_as_many_replicas_as_fit",
        jobs=(a_job("service", replicas=3),),
        pools=(TWO_NODES,),
        placed={"service-0": "two", "service-1": "two"},
    ),
    Case(
        id="allowed_pool_is_used",
        jobs=(only(allowed_pools=("there",)),),
        pools=(HERE, THERE),
        placed={"job-0": "there"},
    ),
    Case(id="denied_pool_is_not", jobs=(only(denied_pools=("here",)),), pools=(HERE,), placed={}),
    Case(
        id="allowed_location_is_used",
        jobs=(only(allowed_locations=(Location(provider="aws"),)),),
        pools=(HERE, THERE),
        placed={"job-0": "there"},
    ),
    Case(
        id="denied_location_beats_an_allowed_one",
        jobs=(only(allowed_locations=(Location(),), denied_locations=(Location(region="us-east5"),)),),
        pools=(HERE,),
        placed={},
    ),
    Case(id="market_is_kept", jobs=(only(markets=(Market.SPOT,)),), pools=(HERE,), placed={}),
    Case(
        id="market_is_met", jobs=(only(markets=(Market.RESERVED,)),), pools=(HERE,), placed={"job-0": "here"}
    ),
    Case(
        id="residency_is_kept", jobs=(only(residency=("eu",)),), pools=(a_pool(jurisdiction="us"),), placed={}
    ),
    Case(
        id="residency_is_met",
        jobs=(only(residency=("eu",)),),
        pools=(a_pool("eu", jurisdiction="eu"),),
        placed={"job-0": "eu"},
    ),
    Case(
        id="gang_is_never_split_over_two_pools",
        jobs=(a_job("job", "h100:16"),),
        pools=(HERE, THERE),
        placed={},
    ),
    Case(
        id="gang_spans_the_nodes_of_one_pool",
        jobs=(a_job("job", "h100:16"),),
        pools=(TWO_NODES,),
        placed={"job-0": "two"},
    ),
    Case(
        id="task_is_never_split_over_two_nodes",
        pools=(TWO_NODES,),
        runs=(
            busy(TWO_NODES, "h100:2", nodes=(NodeShare(node=0, tasks=1),)),
            a_run(a_job("more", "h100:2"), TWO_NODES, nodes=(NodeShare(node=1, tasks=1),)),
        ),
        placed={},
    ),
    Case(
        id="three_devices_take_a_block_of_four",
        jobs=(a_job("job", "h100:3", replicas=3),),
        pools=(SMALL,),
        placed={"job-0": "small", "job-1": "small"},
    ),
    Case(id="unavailable_node_is_not_used", pools=(a_pool(unavailable_nodes=(0,)),), placed={}),
    Case(
        id="other_node_is_used_instead",
        pools=(a_pool("two", nodes=2, unavailable_nodes=(0,)),),
        placed={"job-0": "two"},
    ),
    Case(id="running_work_keeps_its_node", pools=(SMALL,), runs=(busy(SMALL, "h100:1"),), placed={}),
    Case(
        id="stopping_work_keeps_its_node",
        pools=(SMALL,),
        runs=(busy(SMALL, "h100:8", state=RunState.STOPPING),),
        placed={},
    ),
    Case(
        id="slice_of_the_topology_is_used",
        jobs=(a_job("job", "tpu-v5p:4x4x4"),),
        pools=(SLICES,),
        placed={"job-0": "slices"},
    ),
    Case(
        id="slice_of_another_topology_is_not",
        jobs=(a_job("job", "tpu-v5p:2x2x2"),),
        pools=(SLICES,),
        placed={},
    ),
    Case(
        id="slice_in_use_is_not",
        jobs=(a_job("job", "tpu-v5p:2x2x1"),),
        pools=(SLICES,),
        runs=(busy(SLICES, "tpu-v5p:2x2x1"),),
        placed={},
    ),
    Case(
        id="slice_is_made_within_the_limit",
        jobs=(a_job("job", "tpu-v5p:4x4x4", replicas=2),),
        pools=(ON_DEMAND_SLICES,),
        placed={"job-0": "made"},
    ),
    Case(
        id="gang_on_nodes_needs_nodes",
        jobs=(a_job("job", "tpu-v5p:8"),),
        pools=(ON_DEMAND_SLICES,),
        placed={},
    ),
    Case(
        id="limit_counts_what_runs",
        pools=(a_rented_pool("r", limit_accelerators=12, nodes=2),),
        runs=(busy(a_rented_pool("r", limit_accelerators=12, nodes=2), "h100:8"),),
        placed={},
    ),
    Case(id="doubted_availability_is_not_asked_for", pools=(DOUBTED,), placed={}),
    Case(id="doubt_decays", pools=(RECOVERED,), placed={"job-0": "recovered"}),
    Case(
        id="believed_counts_what_is_asked_for",
        pools=(a_rented_pool("r", believed=12),),
        runs=(busy(a_rented_pool("r"), "h100:8", state=RunState.STARTING),),
        placed={},
    ),
    Case(
        id="believed_does_not_count_what_runs",
        pools=(a_rented_pool("r", believed=12),),
        runs=(busy(a_rented_pool("r"), "h100:8"),),
        placed={"job-0": "r"},
    ),
    Case(id="price_above_the_worth_is_not_paid", pools=(PRICEY,), placed={}),
    Case(
        id="worthier_job_pays_it",
        jobs=(a_job("job", priority_class="frontier"),),
        pools=(PRICEY,),
        placed={"job-0": "pricey"},
    ),
    Case(
        id="slow_and_cheap_wins_for_finite_work",
        jobs=(
            a_job(
                "job",
                an_alternative("h100:8"),
                an_alternative("a100:8", speed_permille=500),
                duration_ms=HOUR_MS,
                priority_class="standard",
            ),
        ),
        pools=(
            a_rented_pool("fast", price_usd_micros_per_accelerator_hour=4 * DOLLAR),
            a_rented_pool("slow", "a100", price_usd_micros_per_accelerator_hour=DOLLAR),
        ),
        placed={"job-0": "slow"},
    ),
    Case(
        id="one_big_worth_more_beats_the_dense_small_one_that_blocks_it",
        jobs=(a_job("big", "h100:8"), a_job("small", an_alternative("h100:1", speed_permille=1200))),
        pools=(SMALL,),
        placed={"big-0": "small"},
    ),
]


def snapshot_of_case(case: Case) -> Snapshot:
    return a_snapshot(jobs=case.jobs, pools=case.pools, runs=case.runs)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_improve(case: Case) -> None:
    snapshot = snapshot_of_case(case)

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits())

    assert {place.replica_id: place.placement.pool_id for place in plan.places} == case.placed
    assert violations(snapshot, plan) == []


def test_a_replica_that_backs_off_waits() -> None:
    job = a_job("job", replicas=2)
    replicas = [
        a_waiting_replica(job, 0, not_before_ms=NOW_MS + 1),
        a_waiting_replica(job, 1, not_before_ms=NOW_MS),
    ]
    snapshot = a_snapshot(waiting=replicas, pools=[a_pool(nodes=2)])

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits())

    assert [place.replica_id for place in plan.places] == ["job-1"]


def test_the_longest_waiting_goes_first() -> None:
    job = a_job("job", replicas=2)
    replicas = [a_waiting_replica(job, 0), a_waiting_replica(job, 1, waiting_since_ms=NOW_MS - 1)]
    snapshot = a_snapshot(waiting=replicas, pools=[SMALL])

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits())

    assert [place.replica_id for place in plan.places] == ["job-1"]


def test_a_placement_tells_its_numbers_and_the_runner_up() -> None:
    cheap = a_rented_pool("cheap", price_usd_micros_per_accelerator_hour=DOLLAR)
    dear = a_rented_pool("dear", price_usd_micros_per_accelerator_hour=3 * DOLLAR)
    snapshot = a_snapshot(jobs=[a_job("job")], pools=[cheap, dear])

    placement = floor_plan(snapshot).places[0].placement

    assert placement.pool_id == "cheap"
    assert placement.charged_usd_micros_per_hour == 8 * DOLLAR
    assert placement.term_usd_micros_per_hour == 72 * DOLLAR
    assert placement.runner_up_pool_id == "dear"
    assert placement.runner_up_term_usd_micros_per_hour == 56 * DOLLAR


def test_a_split_that_no_greedy_order_finds_is_found() -> None:
    """By density the two small ones take the eight; only with one of them elsewhere does the big one fit."""
    jobs = [
        a_job("eight", an_alternative("h100:8", speed_permille=1000)),
        a_job("dense", an_alternative("h100:4", speed_permille=1100), replicas=1),
        a_job(
            "mixed",
            an_alternative("h100:4", speed_permille=1050),
            an_alternative("a100:4", speed_permille=900),
        ),
    ]
    snapshot = a_snapshot(jobs=jobs, pools=[a_pool("h"), a_pool("a", "a100", devices_per_node=4)])

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits())

    assert plan.quality.objective_usd_micros_per_hour == 8 * 10 * DOLLAR + 4 * 9 * DOLLAR
    assert {p.replica_id: p.placement.pool_id for p in plan.places} == {"eight-0": "h", "mixed-0": "a"}
