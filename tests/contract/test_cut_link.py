"""A connection to the store that is cut while it is used makes the store unavailable, and nothing else."""

import asyncio
from pathlib import Path

import uvloop

from scheduler.bench.faulty_link import FaultyLink, a_faulty_link
from scheduler.bench.replicas import SharedValkey
from scheduler.model.errors import StoreUnavailable
from scheduler.state.link import Link

CALLERS, CUTS, BETWEEN_CUTS_S = 16, 40, 0.02


def test_a_cut_at_any_moment_is_told_as_an_unavailable_store(tmp_path: Path) -> None:
    valkey = SharedValkey(tmp_path / "valkey")
    try:
        with a_faulty_link(valkey.port) as faulty, asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            answers, refusals = loop.run(_answers_and_refusals(faulty))
    finally:
        valkey.stop()

    assert answers > 0
    assert refusals > 0


async def _answers_and_refusals(faulty: FaultyLink) -> tuple[int, int]:
    """How many calls went well, and how many found the store unavailable; another error is raised."""
    link, is_over = Link(f"redis://{faulty.address}", timeout_ms=2_000), asyncio.Event()
    counts = [0, 0]

    async def call_until_over() -> None:
        while not is_over.is_set():
            try:
                await link.call("PING")
                counts[0] += 1
            except StoreUnavailable:
                counts[1] += 1
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CALLERS):
            tasks.create_task(call_until_over())
        for _ in range(CUTS):
            await asyncio.sleep(BETWEEN_CUTS_S)
            await asyncio.to_thread(faulty.cut)
            await asyncio.to_thread(faulty.mend)
        is_over.set()
    await link.close()
    return counts[0], counts[1]
