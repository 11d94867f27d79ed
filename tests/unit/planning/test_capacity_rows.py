"""Blocks and rows say exactly what nodes can hold."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.planning.blocks import block_of, chain_of
from scheduler.planning.nodes import Gang, assigned
from scheduler.planning.room import Room
from tests.unit.planning.worlds import packs

CHAINS = {
    "eight": ([8], (1, 2, 4, 8)),
    "four_then_eight": ([4, 8, 4], (1, 2, 4, 8)),
    "twelve_is_whole_or_small": ([12], (1, 2, 4, 12)),
    "six": ([6, 6], (1, 2, 6)),
    "one": ([1], (1,)),
    "sizes_that_do_not_divide_keep_the_smaller": ([8, 12], (1, 2, 4, 8)),
    "no_nodes": ([], ()),
}


@pytest.mark.parametrize(("sizes", "chain"), CHAINS.values(), ids=CHAINS)
def test_chain_of(sizes: list[int], chain: tuple[int, ...]) -> None:
    assert chain_of(sizes) == chain


def test_a_task_takes_the_smallest_block_that_holds_it() -> None:
    chain = chain_of([8])

    blocks = [block_of(devices, chain) for devices in range(1, 10)]

    assert blocks == [1, 2, 4, 4, 8, 8, 8, 8, None]


@given(st.lists(st.integers(1, 130), max_size=5))
def test_every_block_divides_the_next_and_the_smallest_node_is_whole(sizes: list[int]) -> None:
    chain = chain_of(sizes)

    assert all(larger % smaller == 0 for smaller, larger in pairwise(chain))
    if len(set(sizes)) == 1:
        assert chain[-1] == sizes[0]


def room_with(free: list[int], size: int) -> Room:
    return Room(
        chain=chain_of([size]),
        nodes=tuple(free),
        slices={},
        slice_accelerators={},
        limit_left=None,
        believed_left=None,
    )


@st.composite
def nodes_and_tasks(draw: st.DrawFn) -> tuple[int, list[int], list[int]]:
    size = draw(st.sampled_from((4, 6, 8, 12)))
    free = draw(st.lists(st.integers(0, size), min_size=1, max_size=4))
    return size, free, draw(st.lists(st.sampled_from(chain_of([size])), max_size=7))


@given(nodes_and_tasks())
def test_rows_hold_exactly_when_the_tasks_can_be_packed(world: tuple[int, list[int], list[int]]) -> None:
    size, free, blocks = world

    rows_hold = all(
        sum(block // s for block in blocks if block >= s) <= sum(devices // s for devices in free)
        for s in chain_of([size])
    )

    assert rows_hold == packs(tuple(sorted(free)), tuple(sorted(blocks, reverse=True)))


@given(nodes_and_tasks())
def test_every_gang_gets_nodes_when_the_rows_hold(world: tuple[int, list[int], list[int]]) -> None:
    size, free, blocks = world
    if not packs(tuple(sorted(free)), tuple(sorted(blocks, reverse=True))):
        return

    shares = assigned(room_with(free, size), [Gang(1, block, None) for block in blocks])

    used = [0] * len(free)
    for block, nodes in zip(blocks, shares, strict=True):
        assert sum(share.tasks for share in nodes) == 1
        used[nodes[0].node] += block
    assert all(devices <= has for devices, has in zip(used, free, strict=True))


def test_a_gang_takes_the_fullest_nodes_that_hold_its_tasks() -> None:
    shares = assigned(room_with([8, 4, 8, 4], 8), [Gang(2, 4, None)])

    assert [share.node for share in shares[0]] == [1, 3]


def test_more_than_fits_is_refused_loudly() -> None:
    with pytest.raises(AssertionError, match="found no node"):
        assigned(room_with([4], 8), [Gang(2, 4, None)])
