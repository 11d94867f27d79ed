"""Fair shares: equal queues get equal parts, weights count, and worth still decides between classes."""

from collections import Counter
from dataclasses import replace

from scheduler.model.guidance import Guidance
from scheduler.model.ids import QueueName
from scheduler.model.plan import Plan, Snapshot, Usage, WorkLimits
from scheduler.model.queue import Queue
from scheduler.planning.planner import floor_plan, improve
from scheduler.planning.verify import violations
from tests.builders import (
    DOLLAR,
    HOUR_MS,
    NOW_MS,
    a_job,
    a_pool,
    a_queue,
    a_rented_pool,
    a_snapshot,
    a_usage,
    with_queues,
)


def a_world(
    *queues: Queue, wants: dict[str, int], nodes: int, usage: tuple[Usage, ...] = (), **spec: object
) -> Snapshot:
    """So many jobs of 8 h100 per queue on a pool of so many nodes of 8."""
    jobs = [
        a_job(f"{queue}-{number}", "h100:8", queue=QueueName(queue), **spec)
        for queue, count in wants.items()
        for number in range(count)
    ]
    return with_queues(a_snapshot(jobs=jobs, pools=[a_pool(nodes=nodes)]), *queues, usage=usage)


def planned(snapshot: Snapshot) -> Plan:
    plan = improve(snapshot, floor_plan(snapshot), limits=WorkLimits(deterministic_time=0.5))
    assert violations(snapshot, plan) == []
    return plan


def placed(snapshot: Snapshot) -> dict[str, int]:
    queues = {each.replica.id: each.job.spec.queue for each in snapshot.waiting}
    return dict(sorted(Counter(queues[place.replica_id] for place in planned(snapshot).places).items()))


def test_one_queue_gets_everything_and_pays_nothing() -> None:
    plan = planned(a_world(wants={"a": 20}, nodes=16))

    terms = sum(place.placement.term_usd_micros_per_hour for place in plan.places)
    assert len(plan.places) == 16
    assert plan.quality.objective_usd_micros_per_hour == terms


def test_equal_queues_share_equally_however_much_one_wants() -> None:
    assert placed(a_world(wants={"a": 200, "b": 10}, nodes=16)) == {"a": 8, "b": 8}


def test_what_others_do_not_want_is_not_left_idle() -> None:
    assert placed(a_world(wants={"a": 200, "b": 2}, nodes=16)) == {"a": 14, "b": 2}


def test_weights_are_parts_of_the_fleet() -> None:
    heavy = a_queue("a", weight_permille=3_000)
    assert placed(a_world(heavy, wants={"a": 50, "b": 50}, nodes=16)) == {"a": 12, "b": 4}


def test_what_runs_is_made_up_for() -> None:
    world = a_world(wants={"a": 50, "b": 50}, nodes=16, usage=(a_usage("a", 64),))
    assert placed(world) == {"a": 4, "b": 12}


def test_what_was_used_lately_is_made_up_for_too() -> None:
    world = a_world(wants={"a": 50, "b": 50}, nodes=16)
    lately = Guidance(usage=((QueueName("a"), 64_000),), usage_at_ms=NOW_MS)

    assert placed(replace(world, guidance=lately)) == {"a": 4, "b": 12}


def test_use_fades_by_half_in_a_day() -> None:
    world = a_world(wants={"a": 1, "b": 1}, nodes=1)
    a_day_ago = Guidance(usage=((QueueName("a"), 64_000),), usage_at_ms=NOW_MS - 24 * HOUR_MS)
    just_now = replace(a_day_ago, usage_at_ms=NOW_MS - 1)

    assert planned(replace(world, guidance=a_day_ago)).guidance.usage == ((QueueName("a"), 32_000),)
    kept = planned(replace(world, guidance=just_now)).guidance
    assert (kept.usage, kept.usage_at_ms) == (just_now.usage, just_now.usage_at_ms)


def test_a_worthier_class_goes_before_any_share() -> None:
    jobs = [a_job(f"a-{n}", "h100:8", queue=QueueName("a"), priority_class="frontier") for n in range(8)]
    jobs += [a_job(f"b-{n}", "h100:8", queue=QueueName("b")) for n in range(8)]
    assert placed(a_snapshot(jobs=jobs, pools=[a_pool(nodes=8)])) == {"a": 8}


def test_a_share_is_counted_in_useful_work_not_in_devices() -> None:
    jobs = [a_job(f"a-{n}", "h100:8", queue=QueueName("a")) for n in range(40)]
    slow = [a_job(f"b-{n}", "h100:8", queue=QueueName("b")) for n in range(40)]
    world = a_snapshot(jobs=[*jobs, *slow], pools=[a_pool(nodes=12)])
    assert placed(world) == {"a": 6, "b": 6}


def test_dear_capacity_is_not_rented_for_who_is_far_above_its_share() -> None:
    """At 0.75 V the first steps are worth it, and the last ones are not."""
    price = 7_500_000
    jobs = [a_job(f"a-{n}", "h100:8", queue=QueueName("a")) for n in range(16)]
    pool = a_rented_pool(limit_accelerators=128, price_usd_micros_per_accelerator_hour=price)
    world = with_queues(
        a_snapshot(jobs=jobs, pools=[pool]), a_queue("b", weight_permille=9_000), usage=(a_usage("b", 8),)
    )

    count = len(planned(world).places)

    assert 0 < count < 16
    alone = a_snapshot(jobs=jobs, pools=[pool])
    assert len(planned(alone).places) == 16
    assert price < 10 * DOLLAR


def test_the_order_of_queue_names_does_not_matter() -> None:
    assert placed(a_world(wants={"a": 30, "z": 30}, nodes=10)) == {"a": 5, "z": 5}
    assert placed(a_world(wants={"z": 30, "a": 30}, nodes=10)) == {"a": 5, "z": 5}
