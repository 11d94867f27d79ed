"""ULIDs: ids that only grow, whatever the clock does."""

from hypothesis import given
from hypothesis import strategies as st

from scheduler.service.ulid import ALPHABET, LENGTH, Ulids
from tests.builders import NOW_MS

TIME_LENGTH = 10


def milliseconds_of(ulid: str) -> int:
    value = 0
    for character in ulid[:TIME_LENGTH]:
        value = value * 32 + ALPHABET.index(character)
    return value


def zeros(count: int) -> bytes:
    return bytes(count)


def ones(count: int) -> bytes:
    return b"\xff" * count


def test_a_ulid_begins_with_its_time_and_is_a_valid_part_of_an_id() -> None:
    ulid = Ulids(ones).next(NOW_MS)

    assert len(ulid) == LENGTH
    assert milliseconds_of(ulid) == NOW_MS
    assert set(ulid) <= set(ALPHABET)


def test_the_random_part_is_what_was_drawn() -> None:
    assert Ulids(zeros).next(NOW_MS)[TIME_LENGTH:] == "0" * 16
    assert Ulids(ones).next(NOW_MS)[TIME_LENGTH:] == "z" * 16


def test_ids_only_grow_within_a_millisecond() -> None:
    ulids = Ulids(zeros)

    made = [ulids.next(NOW_MS) for _ in range(1_000)]

    assert made == sorted(set(made))


def test_ids_only_grow_when_the_clock_is_set_back() -> None:
    ulids = Ulids(zeros)

    made = [ulids.next(now_ms) for now_ms in (NOW_MS, NOW_MS - 3_600_000, NOW_MS - 1, NOW_MS, NOW_MS + 1)]

    assert made == sorted(set(made))
    assert milliseconds_of(made[-1]) == NOW_MS + 1


def test_a_millisecond_whose_random_part_is_used_up_runs_over_into_the_next() -> None:
    ulids = Ulids(ones)

    made = [ulids.next(now_ms) for now_ms in (NOW_MS, NOW_MS, NOW_MS + 1, NOW_MS + 1, NOW_MS + 2)]

    assert made == sorted(set(made))


@given(
    times_ms=st.lists(st.integers(NOW_MS, NOW_MS + 3), min_size=2, max_size=20),
    draws=st.lists(st.binary(min_size=10, max_size=10), min_size=20, max_size=20),
)
def test_ids_only_grow_whatever_the_clock_and_chance_do(times_ms: list[int], draws: list[bytes]) -> None:
    drawn = iter(draws)
    ulids = Ulids(lambda _count: next(drawn))

    made = [ulids.next(now_ms) for now_ms in times_ms]

    assert made == sorted(set(made))
