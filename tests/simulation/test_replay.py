"""The same seed always gives the same world, line by line, in every process."""

import os
import subprocess
import sys

from scheduler.simulation.simulation import simulate
from scheduler.simulation.world import world_of

SEED = 9  # two replicas, crashes, an outage

PRINT_DIGEST = f"""
from scheduler.simulation.simulation import simulate
from scheduler.simulation.world import world_of
print(simulate(world_of({SEED}, with_faults=True)).trace.digest())
"""


def test_a_seed_replays_exactly() -> None:
    first = simulate(world_of(SEED, with_faults=True))

    second = simulate(world_of(SEED, with_faults=True))

    assert second.trace.lines == first.trace.lines
    assert second.counts == first.counts


def test_a_seed_replays_in_a_process_that_hashes_otherwise() -> None:
    digests = {digest_with_hash_seed(hash_seed) for hash_seed in ("1", "2")}

    assert digests == {simulate(world_of(SEED, with_faults=True)).trace.digest()}


def digest_with_hash_seed(hash_seed: str) -> str:
    printed = subprocess.run(
        (sys.executable, "-c", PRINT_DIGEST),
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return printed.stdout.strip()
