"""The operator at the brakes: holds, freezes, pins and cordons nodes, and after a while takes it back."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from scheduler.model.brakes import FreezeScope
from scheduler.model.ids import PoolId
from scheduler.model.job import Job
from scheduler.model.records import Kind
from scheduler.model.replica import Replica, ReplicaState
from scheduler.service.fleet import Caller
from scheduler.service.jobs import Holder
from scheduler.simulation.operators import OPERATOR, Operator
from scheduler.simulation.process import ServiceProcess

BRAKED_MS_MAX = 60_000

Ask = Callable[[ServiceProcess], Coroutine[Any, Any, object]]


class BrakingOperator(Operator):
    """Puts a brake on now and then; whatever it put on, it takes off."""

    async def live_until(self, calm: asyncio.Event, *, every_ms_max: int) -> None:
        self._draw = Random(f"{self._around.world.seed}/brakes")
        acts = (self._hold_job, self._freeze, self._pin, self._cordon_nodes)
        while not await _rang(calm, self._draw.randint(1_000, every_ms_max)):
            await self._around.bustle.wait()
            if calm.is_set():
                return
            brake = self._draw.choice(acts)()
            if brake is not None:
                await self._for_a_while(*brake, calm=calm)

    async def _for_a_while(self, what: str, put_on: Ask, take_off: Ask, *, calm: asyncio.Event) -> None:
        self._around.trace.add(f"brake: {what}")
        if await self._do(put_on):
            self._records.count("brakes")
        await _rang(calm, self._draw.randint(1_000, BRAKED_MS_MAX))
        await self._do(take_off)
        self._around.trace.add(f"no brake: {what}")

    def _hold_job(self) -> tuple[str, Ask, Ask] | None:
        job = self._some_job()
        if job is None:
            return None
        job_id, on, off = job.id, self._holder(), self._holder()
        return (
            f"hold {job_id}",
            lambda p: p.jobs.hold(job_id, reason="wrong data", holder=on),
            lambda p: p.jobs.release(job_id, holder=off),
        )

    def _freeze(self) -> tuple[str, Ask, Ask] | None:
        scope, target = self._draw.choice(
            (
                (FreezeScope.CELL, ""),
                (FreezeScope.POOL, self._pool_id()),
                (FreezeScope.QUEUE, self._some_queue()),
            )
        )
        on, off = self._caller(), self._caller()
        return (
            f"freeze {scope} {target}",
            lambda p: p.freezes.freeze(scope, target, reason="odd prices", caller=on),
            lambda p: p.freezes.unfreeze(scope, target, caller=off),
        )

    def _pin(self) -> tuple[str, Ask, Ask] | None:
        replica = self._some_replica()
        if replica is None:
            return None
        replica_id, on, off = replica.id, self._caller(), self._caller()
        pool_id: PoolId | None = self._pool_id() if replica.state is ReplicaState.WAITING else None
        return (
            f"pin {replica_id} to {pool_id}",
            lambda p: p.pins.pin(replica_id, pool_id, reason="its data", caller=on),
            lambda p: p.pins.unpin(replica_id, caller=off),
        )

    def _cordon_nodes(self) -> tuple[str, Ask, Ask] | None:
        pool_id, on, off = self._pool_id(), self._caller(), self._caller()
        nodes = frozenset(self._draw.sample(range(4), self._draw.randint(1, 2)))
        return (
            f"cordon nodes {sorted(nodes)} of {pool_id}",
            lambda p: p.fleet.cordon_nodes(pool_id, nodes, reason="loud fans", caller=on),
            lambda p: p.fleet.uncordon_nodes(pool_id, nodes, caller=off),
        )

    def _some_job(self) -> Job | None:
        jobs = [r.entity for r in self._records.entities(Kind.JOB) if isinstance(r.entity, Job)]
        unfinished = [job for job in jobs if not job.is_finished]
        return self._draw.choice(unfinished) if unfinished else None

    def _some_queue(self) -> str:
        job = self._some_job()
        return "nobody" if job is None else job.spec.queue

    def _some_replica(self) -> Replica | None:
        found = (r.entity for r in self._records.entities(Kind.REPLICA))
        replicas = [r for r in found if isinstance(r, Replica) and r.state is not ReplicaState.DONE]
        return self._draw.choice(replicas) if replicas else None

    def _holder(self) -> Holder:
        caller = self._caller()
        return Holder(principal=caller.principal, is_operator=True, request_id=caller.request_id)

    def _caller(self) -> Caller:
        self._requests += 1
        return Caller(principal=OPERATOR, request_id=f"brakes-{self._requests}")


async def _rang(calm: asyncio.Event, within_ms: int) -> bool:
    """Wait so long, or until all is calm; whether it is."""
    try:
        async with asyncio.timeout(within_ms / 1000):
            await calm.wait()
    except TimeoutError:
        return False
    return True
