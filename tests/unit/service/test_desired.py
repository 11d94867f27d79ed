"""What a launcher is told of its pools."""

from dataclasses import replace

from scheduler.model.ids import LauncherId
from scheduler.service.desired import delta, desired
from tests.builders import a_pool, a_state

LAUNCHER = LauncherId("launcher")


def test_a_pool_that_was_deleted_and_made_again_is_told_of_again() -> None:
    pool = a_pool("pool")
    before = desired(a_state(replace(pool, made_at_ms=1)), LAUNCHER)

    again = delta(before, desired(a_state(replace(pool, made_at_ms=2)), LAUNCHER))
    same = delta(before, desired(a_state(replace(pool, made_at_ms=1)), LAUNCHER))

    assert again.pools == ((pool.id, pool.spec),)
    assert same.pools == ()
