"""Terms by hand, in exact micro-dollars."""

from dataclasses import dataclass

import pytest

from scheduler.model.job import Alternative
from scheduler.planning.worth import charged_usd_micros_per_hour, term_usd_micros_per_hour, work_of
from tests.builders import DOLLAR, HOUR_MS, a_job, a_pool, a_priority_class, an_alternative

FAST = an_alternative("h100:1", speed_permille=1000)
SLOW = an_alternative("a100:1", speed_permille=500)
SLOW_TWINS = an_alternative("a100:2", speed_permille=500)
EIGHT = an_alternative("h100:8", speed_permille=1000)


@dataclass(frozen=True, kw_only=True)
class Case:
    id: str
    ways: tuple[Alternative, ...] = (FAST, SLOW)
    way: int = 0
    duration_ms: int | None = HOUR_MS
    urgency: int = 0
    price: int = 0
    shadow_price: int = 0
    term: int


CASES = [
    Case(id="fast_way_nets_worth_less_price", price=4 * DOLLAR, term=6 * DOLLAR),
    Case(id="slow_way_pays_twice_the_hours_for_the_same_work", way=1, price=DOLLAR, term=8 * DOLLAR),
    Case(id="duration_drops_out", way=1, duration_ms=7 * HOUR_MS + 1, price=DOLLAR, term=8 * DOLLAR),
    Case(id="unknown_duration_counts_speed_only", way=1, duration_ms=None, price=DOLLAR, term=4 * DOLLAR),
    Case(id="urgency_charges_the_hours_later", way=1, urgency=3 * DOLLAR, term=7 * DOLLAR),
    Case(id="urgency_does_not_touch_the_fastest", urgency=3 * DOLLAR, term=10 * DOLLAR),
    Case(
        id="urgency_does_not_touch_an_unknown_duration", way=1, duration_ms=None, urgency=9, term=5 * DOLLAR
    ),
    Case(id="slow_way_pays_the_shadow_price_for_longer", way=1, shadow_price=2 * DOLLAR, term=8 * DOLLAR),
    Case(id="the_rows_charge_the_fastest_its_shadow_price", shadow_price=2 * DOLLAR, term=10 * DOLLAR),
    Case(
        id="more_accelerators_make_up_for_speed",
        ways=(FAST, SLOW_TWINS),
        way=1,
        price=DOLLAR,
        term=8 * DOLLAR,
    ),
    Case(id="a_gang_is_worth_its_size", ways=(EIGHT,), price=2 * DOLLAR, term=64 * DOLLAR),
    Case(id="a_price_above_the_worth_is_a_loss", price=12 * DOLLAR, term=-2 * DOLLAR),
    Case(
        id="rounds_down",
        ways=(FAST, an_alternative("b200:1", speed_permille=300)),
        way=1,
        price=1,
        term=10 * DOLLAR - 4,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_term(case: Case) -> None:
    job = a_job("job", *case.ways, duration_ms=case.duration_ms)
    work = work_of(job.spec, a_priority_class(worth=10 * DOLLAR, urgency=case.urgency))

    term = term_usd_micros_per_hour(
        work, case.ways[case.way], price=case.price, shadow_price=case.shadow_price
    )

    assert term == case.term


def test_reserved_capacity_is_charged_but_decides_nothing() -> None:
    pool = a_pool(price_usd_micros_per_accelerator_hour=3 * DOLLAR)

    charged = charged_usd_micros_per_hour(EIGHT, pool.spec)

    assert charged == 24 * DOLLAR
    assert pool.spec.marginal_usd_micros_per_accelerator_hour == 0
