"""The operator: creates the fleet, changes it, cordons, deletes, declares dead runs ended."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from scheduler.model.errors import NotCaughtUp, PlacewrightError, StoreUnavailable
from scheduler.model.ids import LauncherId, PoolId, Principal
from scheduler.model.pool import NodeGroup, PoolSpec
from scheduler.model.records import Kind
from scheduler.model.run import Run, RunState
from scheduler.service.fleet import Caller
from scheduler.simulation.auditor.records import RecordsAuditor
from scheduler.simulation.network import Network, Unreachable
from scheduler.simulation.notes import Belongings
from scheduler.simulation.process import ServiceProcess
from scheduler.simulation.surroundings import Surroundings
from scheduler.simulation.world import LEASES_MS

OPERATOR = Principal("operator")
ACTS_EVERY_MS_MAX = 80_000
RETRY_MS_MAX = 3_000
TRIES_MAX = 20


class Operator:
    """Acts now and then; whatever it does, it repeats until it is answered."""

    def __init__(
        self,
        around: Surroundings,
        network: Network,
        *,
        belongings: Mapping[LauncherId, Belongings],
        records: RecordsAuditor,
    ) -> None:
        self._around, self._network = around, network
        self._belongings, self._records = belongings, records
        self._draw = Random(f"{around.world.seed}/operator")
        self._requests = 0
        self._specs: dict[PoolId, PoolSpec] = {}

    async def live(self) -> None:
        for pool_id, spec in self._around.world.pools:
            await self._apply(pool_id, spec)
        acts = (self._cordon, self._change, self._delete, self._end_unreachable, self._end_unreachable)
        while True:
            await asyncio.sleep(self._draw.randint(1_000, ACTS_EVERY_MS_MAX) / 1000)
            await self._around.bustle.wait()
            await self._draw.choice(acts)()

    async def change_leases(self, *, every_ms_max: int) -> None:
        """Make leases longer and shorter."""
        while True:
            await asyncio.sleep(self._draw.randint(1_000, every_ms_max) / 1000)
            await self._around.bustle.wait()
            pool_id = self._pool_id()
            if pool_id in self._specs:
                await self._apply(pool_id, self._with_other_lease(self._specs[pool_id]))

    def _with_other_lease(self, spec: PoolSpec) -> PoolSpec:
        return replace(spec, lease_duration_ms=self._draw.choice(LEASES_MS))

    async def _apply(self, pool_id: PoolId, spec: PoolSpec) -> None:
        caller = self._caller()
        fencing = "fences itself" if spec.self_fencing else "does not fence itself"
        self._around.trace.add(
            f"apply {pool_id}: {spec.launcher_id}, lease {spec.lease_duration_ms}, {fencing}"
        )
        if await self._do(lambda p: p.fleet.apply(pool_id, spec, generation=None, caller=caller)):
            self._specs[pool_id] = spec

    async def misprice(
        self,
        pool_id: PoolId,
        *,
        factor: int,
        insists: bool,
        lasts: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """Apply a pool with its price multiplied, and after a while with the right one again."""
        spec = self._specs.get(pool_id)
        if spec is not None:
            price = spec.price_usd_micros_per_accelerator_hour
            self._around.trace.add(f"the price of {pool_id} is written {factor} times as high")
            await self._apply(pool_id, replace(spec, price_usd_micros_per_accelerator_hour=price * factor))
            if insists:
                await self._confirm_price(pool_id, price * factor)
            await lasts()
            spec = self._specs.get(pool_id, spec)
            await self._apply(pool_id, replace(spec, price_usd_micros_per_accelerator_hour=price))
            if insists:
                await self._confirm_price(pool_id, price)

    async def _confirm_price(self, pool_id: PoolId, price: int) -> None:
        """Say that the price is meant; it may wait no more."""
        caller = self._caller()
        self._records.jumps.meant(pool_id, price)
        await self._do(
            lambda p: p.fleet.confirm(
                pool_id, price_usd_micros=price, accelerators=None, generation=None, caller=caller
            )
        )

    async def _cordon(self) -> None:
        pool_id = self._pool_id()
        caller = self._caller()
        await self._do(lambda p: p.fleet.cordon(pool_id, reason="a look inside", caller=caller))
        await asyncio.sleep(self._draw.randint(1_000, 60_000) / 1000)
        again = self._caller()
        await self._do(lambda p: p.fleet.uncordon(pool_id, caller=again))

    async def _change(self) -> None:
        pool_id = self._pool_id()
        spec = self._specs.get(pool_id)
        if spec is None:
            return
        match self._draw.randrange(4):
            case 0 if spec.node_groups:
                group = spec.node_groups[0]
                groups = (NodeGroup(nodes=self._draw.randint(1, 6), devices_per_node=group.devices_per_node),)
                spec = replace(spec, node_groups=groups)
            case 1:
                spec = self._with_other_lease(spec)
            case 2:
                spec = replace(spec, self_fencing=not spec.self_fencing)
            case _:
                spec = replace(spec, launcher_id=self._draw.choice(self._around.world.launchers))
        await self._apply(pool_id, spec)

    async def _delete(self) -> None:
        pool_id = self._pool_id()
        spec = self._specs.get(pool_id)
        caller = self._caller()
        await self._do(lambda p: p.fleet.delete(pool_id, generation=None, caller=caller))
        await asyncio.sleep(self._draw.randint(1, 30_000) / 1000)
        if spec is not None:
            await self._apply(pool_id, spec)

    async def _end_unreachable(self) -> None:
        """Switch the machines of unreachable runs off, then say so."""
        for record in self._records.entities(Kind.RUN):
            run = record.entity
            if isinstance(run, Run) and run.state is RunState.UNREACHABLE:
                self._belongings[run.launcher_id].hosts.kill(run.id)
                await self._force_end(run)

    async def _force_end(self, run: Run) -> None:
        caller = self._caller()
        await self._do(lambda p: p.fleet.force_end_run(run.id, reason="switched off", caller=caller))

    def _pool_id(self) -> PoolId:
        return self._draw.choice(self._around.world.pools)[0]

    def _caller(self) -> Caller:
        self._requests += 1
        return Caller(principal=OPERATOR, request_id=f"operator-{self._requests}")

    async def _do(self, ask: Callable[[ServiceProcess], Coroutine[Any, Any, object]]) -> bool:
        """Whether it was done; a refusal is taken."""
        for _ in range(TRIES_MAX):
            try:
                await self._network.call(OPERATOR, ask)
            except (Unreachable, StoreUnavailable, NotCaughtUp):
                await asyncio.sleep(self._draw.randint(100, RETRY_MS_MAX) / 1000)
            except PlacewrightError:
                return False
            else:
                return True
        return False
