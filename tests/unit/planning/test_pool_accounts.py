"""Who makes room, against trying every node for every task."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model.ids import RunId
from scheduler.model.plan import PlannedPool
from scheduler.model.pool import NodeGroup, Pool
from scheduler.planning.blocks import block_of, chain_of
from scheduler.planning.pool_accounts import Account
from scheduler.planning.room import demand_of
from scheduler.planning.victims import Fate, Victim, Wish
from tests.builders import VERSION, a_pool, an_alternative
from tests.unit.planning.worlds import Draw, packs

MOST_WORTH = 10


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_the_victims_are_those_that_trying_every_node_gives(seed: int) -> None:
    draw = Draw(seed)
    size = draw.of((4, 8, 8))
    sizes = [size] * draw.between(1, 4) + [size // 2] * draw.between(0, 1)
    pool = pool_of(sizes)
    account = Account(planned(pool), unavailable=(), believed=0)
    for victim in some_victims(draw, sizes):
        account.place_now(victim)
    way = an_alternative(f"h100:{draw.of((1, 2, 3, 4, 8, 16, 24))}", devices_per_task=size)
    demand = demand_of(way, pool.spec, account.chain)
    if demand is None:
        return
    wish = Wish(demand, way.accelerators, draw.between(1, MOST_WORTH))

    found = account.victims_for(wish)

    block = block_of(way.devices_per_task, chain_of(sizes))
    assert block is not None
    lower = [victim for victim in account.victims if victim.worth < wish.worth]
    assert found == tried(sizes, account.victims, lower, blocks=(block,) * way.tasks)
    assert account.victims_for(wish) == found


def tried(
    sizes: Sequence[int], there: Sequence[Victim], lower: Sequence[Victim], *, blocks: tuple[int, ...]
) -> list[Victim] | None:
    """The shortest beginning without which the gang fits, less whoever is not needed, the last first."""

    def fits(gone: Sequence[Victim]) -> bool:
        free = list(sizes)
        for victim in there:
            if victim not in gone:
                for node, amount in victim.uses:
                    free[node] -= amount
        return packs(tuple(sorted(free)), blocks)

    first = next((k for k in range(len(lower) + 1) if fits(lower[:k])), None)
    if first is None:
        return None
    asked = list(lower[:first])
    for victim in reversed(lower[:first]):
        if fits([each for each in asked if each is not victim]):
            asked = [each for each in asked if each is not victim]
    return asked


def pool_of(sizes: Sequence[int]) -> Pool:
    return a_pool(node_groups=tuple(NodeGroup(nodes=1, devices_per_node=size) for size in sizes))


def planned(pool: Pool) -> PlannedPool:
    return PlannedPool(pool=pool, planning_version=VERSION, live_runs=())


def some_victims(draw: Draw, sizes: Sequence[int]) -> list[Victim]:
    """Gangs of blocks wherever there is room, until little is left."""
    free, victims = list(sizes), list[Victim]()
    for number in range(draw.between(0, 10)):
        block = draw.of((1, 1, 2, 4))
        uses: dict[int, int] = {}
        for _ in range(draw.between(1, 3)):
            node = draw.between(0, len(sizes) - 1)
            if free[node] >= block:
                free[node] -= block
                uses[node] = uses.get(node, 0) + block
        if uses:
            victims.append(a_victim(draw, number, tuple(sorted(uses.items()))))
    return victims


def a_victim(draw: Draw, number: int, uses: tuple[tuple[int, int], ...]) -> Victim:
    return Victim(
        worth=draw.between(0, MOST_WORTH),
        idle_order=-draw.between(0, 3),
        size=1000,
        uses=uses,
        accelerators=sum(amount for _, amount in uses),
        run_id=RunId(f"run-{number}"),
        number=-1,
        fate=Fate.STOPPED,
        is_asked_for=False,
    )
