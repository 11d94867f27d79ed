"""How far quotas are used: the numbers that people see of queues and cohorts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model.limits import COHORT_DEPTH_MAX, QUEUES_WITH_SPEC_MAX
from scheduler.planning.quota_usage import QuotaUse, quota_uses_of
from scheduler.planning.quotas import quotas_of
from tests.builders import a_cohort, a_queue, a_quota, a_usage

H100 = a_quota(0).resource


def test_a_queue_borrows_beyond_its_own_and_what_it_borrows_is_missing_elsewhere() -> None:
    queues = [
        a_queue("a", a_quota(64), cohort="lab"),
        a_queue("b", a_quota(64, lending_limit=40), cohort="lab"),
    ]
    usage = [a_usage("a", 80), a_usage("b", 8)]

    uses = quota_uses_of(queues, [a_cohort("lab", a_quota(16))], usage)

    # b keeps 24 to itself; the cohort has 16 + 64 + 40, of which a took 80.
    assert uses.queues["a"] == (QuotaUse(H100, nominal=64, used=80, borrowed=16, available=40),)
    assert uses.queues["b"] == (QuotaUse(H100, nominal=64, used=8, borrowed=0, available=56),)
    assert uses.cohorts["lab"] == (QuotaUse(H100, nominal=144, used=88, borrowed=0, available=40),)


def test_a_cohort_borrows_of_the_cohort_above() -> None:
    cohorts = [a_cohort("lab", a_quota(32)), a_cohort("team", a_quota(8, borrowing_limit=20), parent="lab")]

    uses = quota_uses_of([a_queue("q", cohort="team")], cohorts, [a_usage("q", 20)])

    assert uses.cohorts["team"] == (QuotaUse(H100, nominal=8, used=20, borrowed=12, available=8),)
    assert uses.queues["q"] == (QuotaUse(H100, nominal=0, used=20, borrowed=20, available=8),)
    assert uses.cohorts["lab"] == (QuotaUse(H100, nominal=40, used=20, borrowed=0, available=20),)


def test_a_queue_alone_that_uses_more_than_its_quota_borrows_nothing_and_gets_nothing() -> None:
    uses = quota_uses_of([a_queue("q", a_quota(8))], [], [a_usage("q", 24), a_usage("other", 8)])

    assert uses.queues == {"q": (QuotaUse(H100, nominal=8, used=24, borrowed=0, available=0),)}


@settings(max_examples=100)
@given(
    st.tuples(*[st.integers(0, 20)] * 3), st.tuples(*[st.integers(0, 30)] * 3), st.none() | st.integers(0, 20)
)
def test_what_is_available_can_be_used_and_no_more(
    nominal: tuple[int, ...], used: tuple[int, ...], limit: int | None
) -> None:
    limits = {} if limit is None else {"borrowing_limit": limit, "lending_limit": limit // 2}
    queues = [a_queue(f"q{i}", a_quota(n, **limits), cohort="lab") for i, n in enumerate(nominal)]
    cohorts = [a_cohort("lab", a_quota(5))]
    usage = [a_usage(f"q{i}", amount) for i, amount in enumerate(used) if amount]

    available = quota_uses_of(queues, cohorts, usage).queues["q0"][0].available
    after = quotas_of(queues, cohorts, [*usage, a_usage("q0", available)])

    assert after.trees.available()[after.leaves[queues[0].name, H100]] == 0


@pytest.mark.timeout(20)  # the work for a node must not double with each cohort above it
def test_as_many_queues_as_deep_as_may_be_are_counted_in_a_moment() -> None:
    quotas = [a_quota(8, name) for name in ("a100-80gb", "b200", "h100", "h200", "tpu-v5p", "tpu-v6e")]
    cohorts = [
        a_cohort(f"c{depth}", *quotas, parent=f"c{depth - 1}" if depth else None)
        for depth in range(COHORT_DEPTH_MAX)
    ]
    bottom = cohorts[-1].name
    queues = [a_queue(f"q{number}", *quotas, cohort=bottom) for number in range(QUEUES_WITH_SPEC_MAX)]

    uses = quota_uses_of(queues, cohorts, [a_usage("q7", 24)])

    assert {use.borrowed for use in uses.queues[queues[7].name]} == {0, 16}
    assert uses.cohorts[cohorts[0].name][0].nominal == 8 * (QUEUES_WITH_SPEC_MAX + COHORT_DEPTH_MAX)
