"""Every replica that waits is told why, with numbers."""

from dataclasses import dataclass

import pytest

from scheduler.model.deferral import Deferral, DeferralReason, PoolVerdict
from scheduler.model.ids import PoolId
from scheduler.model.job import Constraints, Job
from scheduler.model.plan import WorkLimits
from scheduler.model.pool import Pool
from scheduler.model.run import Run
from scheduler.planning.planner import floor_plan, improve
from tests.builders import (
    DOLLAR,
    NOW_MS,
    VERSION,
    a_job,
    a_pin,
    a_pool,
    a_rented_pool,
    a_run,
    a_snapshot,
    a_waiting_replica,
)

JOB = a_job("job")
R, V = DeferralReason, PoolVerdict
PRICEY = a_rented_pool("pricey", price_usd_micros_per_accelerator_hour=12 * DOLLAR)
FULL = a_pool("full")
FILLER = a_run(a_job("filler"), FULL)


@dataclass(frozen=True, kw_only=True)
class Case:
    id: str
    job: Job = JOB
    pools: tuple[Pool, ...] = ()
    runs: tuple[Run, ...] = ()
    reason: DeferralReason
    verdicts: dict[PoolVerdict, int]


CASES = [
    Case(id="no_pool_at_all", reason=R.FITS_NO_POOL, verdicts={}),
    Case(
        id="nothing_of_the_kind",
        job=a_job("job", "h100:16", constraints=Constraints(denied_pools=(PoolId("denied"),))),
        pools=(a_pool("a", "a100"), a_pool("denied", nodes=4), a_pool("small")),
        reason=R.FITS_NO_POOL,
        verdicts={V.OTHER_ACCELERATOR: 1, V.EXCLUDED_BY_CONSTRAINTS: 1, V.TOO_BIG: 1},
    ),
    Case(
        id="pools_that_could_hold_it_are_closed",
        pools=(a_pool("a", cordoned=True), a_pool("b", ready=False), a_pool("c", "a100")),
        reason=R.POOL_NOT_READY,
        verdicts={V.OTHER_ACCELERATOR: 1, V.CORDONED: 1, V.NO_LAUNCHER: 1},
    ),
    Case(
        id="open_pools_cost_too_much",
        pools=(PRICEY, a_pool("closed", cordoned=True)),
        reason=R.NOT_WORTH_THE_PRICE,
        verdicts={V.CORDONED: 1, V.NOT_WORTH_THE_PRICE: 1},
    ),
    Case(
        id="worthwhile_pool_is_full",
        pools=(PRICEY, FULL),
        runs=(FILLER,),
        reason=R.NO_CAPACITY,
        verdicts={V.NOT_WORTH_THE_PRICE: 1, V.FULL: 1},
    ),
    Case(
        id="provider_is_doubted",
        pools=(a_rented_pool("rented", believed=4), FULL),
        runs=(FILLER,),
        reason=R.AVAILABILITY_DOUBTED,
        verdicts={V.FULL: 1, V.AVAILABILITY_DOUBTED: 1},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_deferral(case: Case) -> None:
    snapshot = a_snapshot(jobs=[case.job], pools=case.pools, runs=case.runs)

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits())

    [(replica_id, deferral)] = plan.deferrals
    assert replica_id == "job-0"
    assert deferral.reason == case.reason
    assert dict(deferral.verdicts) == case.verdicts


def test_a_worthier_job_outbids() -> None:
    jobs = [a_job("high", priority_class="frontier"), a_job("low")]
    snapshot = a_snapshot(jobs=jobs, pools=[a_pool()])

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits())

    [(replica_id, deferral)] = plan.deferrals
    assert replica_id == "low-0"
    assert deferral == Deferral(
        reason=R.OUTBID,
        verdicts=((V.OUTBID, 1),),
        accelerators_needed=8,
        accelerators_free_max=0,
        cheapest_cost_usd_micros_per_useful_hour=0,
        worth_usd_micros_per_useful_hour=10 * DOLLAR,
        planned_revision=VERSION,
    )


def test_a_replica_that_backs_off_is_told_until_when() -> None:
    waiting = a_waiting_replica(a_job("job"), not_before_ms=NOW_MS + 5)
    snapshot = a_snapshot(waiting=[waiting], pools=[a_pool()])

    [(_, deferral)] = floor_plan(snapshot).deferrals

    assert (deferral.reason, deferral.not_before_ms) == (R.BACKING_OFF, NOW_MS + 5)


@pytest.mark.parametrize(
    ("pinned_to", "reason", "verdict"),
    [("full", R.PINNED, V.FULL), ("closed", R.PINNED, V.CORDONED), ("gone", R.PINNED, None)],
)
def test_a_pinned_replica_waits_for_its_pool_though_another_has_room(
    pinned_to: str, reason: DeferralReason, verdict: PoolVerdict | None
) -> None:
    waiting = a_waiting_replica(JOB, pin=a_pin(pinned_to))
    pools = [FULL, a_pool("closed", cordoned=True), a_pool("free")]
    snapshot = a_snapshot(waiting=[waiting], pools=pools, runs=[FILLER])

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits())

    [(_, deferral)] = plan.deferrals
    assert (deferral.reason, deferral.pool_id) == (reason, PoolId(pinned_to))
    elsewhere = 3 if verdict is None else 2
    expected = {V.PINNED_ELSEWHERE: elsewhere, **({} if verdict is None else {verdict: 1})}
    assert dict(deferral.verdicts) == expected


def test_replicas_of_a_bundle_with_and_without_a_pin_go_to_their_own_pools() -> None:
    waiting = [a_waiting_replica(JOB, 0, pin=a_pin("b")), a_waiting_replica(JOB, 1)]
    snapshot = a_snapshot(waiting=waiting, pools=[a_pool("a"), a_pool("b")])

    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits())

    placed = {place.replica_id: place.placement.pool_id for place in plan.places}
    assert placed == {"job-0": "b", "job-1": "a"}


def test_numbers_are_of_the_smallest_way_the_emptiest_pool_and_the_cheapest_hour() -> None:
    jobs = [a_job("job", "h100:16", "a100:32"), a_job("first", "h100:8", priority_class="frontier")]
    half_price = a_rented_pool("a", "a100", limit_accelerators=40, believed=24)
    snapshot = a_snapshot(jobs=jobs, pools=[a_pool("h", nodes=2), half_price])

    deferral = dict(floor_plan(snapshot).deferrals)["job-0"]

    assert deferral.accelerators_needed == 16
    assert deferral.accelerators_free_max == 24
    assert deferral.cheapest_cost_usd_micros_per_useful_hour == 0
