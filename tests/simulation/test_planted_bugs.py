"""The auditor is worth its trust: each planted bug is found within a few seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from scheduler.control.cycle import Cycle
from scheduler.control.leases import LeaseWatch
from scheduler.model.ids import RunId
from scheduler.model.job import Job
from scheduler.model.records import Kind
from scheduler.model.run import Run
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Fence, IsAt, Outcome, Transaction
from scheduler.model.transitions import sessions
from scheduler.model.transitions.runs import live_run
from scheduler.service.launchers import Claim, SessionRef
from scheduler.service.parts import Parts as ServiceParts
from scheduler.service.watch import Watches
from scheduler.simulation.launcher import SimulatedLauncher
from scheduler.simulation.planner import SimulatedPlanner
from scheduler.simulation.simulation import Parts, simulate
from scheduler.simulation.store import Store
from scheduler.simulation.world import world_of

SEEDS_MAX = 40


class AlteringStore:
    """A store that carries out something else than it was asked for."""

    def __init__(self, store: Store, alter: Callable[[Transaction], Transaction]) -> None:
        self._store, self._alter = store, alter

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        return await self._store.transact([self._alter(transaction) for transaction in transactions])

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def without_fence(transaction: Transaction) -> Transaction:
    return replace(transaction, fence=None)


def without_run_checks(transaction: Transaction) -> Transaction:
    if transaction.fence is not None:
        return transaction
    checks = (c for c in transaction.checks if not (isinstance(c, IsAt) and c.key.kind is Kind.RUN))
    return replace(transaction, checks=tuple(checks))


class HastyLauncher(SimulatedLauncher):
    """Takes its own claim for granted."""

    async def _claim_until_answered(self, ref: SessionRef, run_id: RunId) -> Claim | None:
        for process in self._network.up():
            found = live_run(process.parts.state, run_id)
            if found is not None:
                return Claim(run=found.run, job_name=found.job.spec.name, replica_index=0, payload=payload_of(found.job))
        return await super()._claim_until_answered(ref, run_id)
