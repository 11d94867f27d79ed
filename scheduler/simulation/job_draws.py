"""Wishes: the ways to satisfy a job and where it may run, drawn from a seed."""

from collections.abc import Sequence
from random import Random

from scheduler.model.ids import AcceleratorName, PoolId
from scheduler.model.job import Alternative, Constraints, Market, TaskGroup

TOPOLOGIES = {"2x2x1": 4, "2x2x2": 8, "2x2x4": 16}
CHIPS_PER_HOST = 4


def alternatives_of(draw: Random) -> tuple[Alternative, ...]:
    ways = [_alternative(draw) for _ in range(draw.randint(1, 3))]
    return tuple(dict.fromkeys(ways))


def _alternative(draw: Random) -> Alternative:
    name = draw.choice(("h100", "h100", "a100", "tpu"))
    topology = draw.choice(sorted(TOPOLOGIES)) if name == "tpu" else None
    if topology is None:
        group = TaskGroup(tasks=draw.choice((1, 1, 2, 3, 4)), devices_per_task=draw.choice((1, 2, 3, 4, 8)))
    else:
        group = TaskGroup(tasks=TOPOLOGIES[topology] // CHIPS_PER_HOST, devices_per_task=CHIPS_PER_HOST)
    return Alternative(
        accelerator=AcceleratorName(name),
        task_groups=(group,),
        slice_topology=topology,
        speed_permille=draw.choice((700, 1000)),
    )


def constraints_of(draw: Random, pools: Sequence[PoolId]) -> Constraints:
    match draw.randrange(6):
        case 0:
            return Constraints(denied_pools=(draw.choice(pools),))
        case 1:
            return Constraints(allowed_pools=tuple(draw.sample(pools, min(len(pools), 2))))
        case 2:
            return Constraints(markets=(Market.RESERVED, Market.ON_DEMAND))
        case _:
            return Constraints()
