"""What the leader works with."""

from collections.abc import Iterable
from dataclasses import dataclass

from scheduler.mirror.mirror import Mirror
from scheduler.mirror.writes import revision_of
from scheduler.model.plan import WorkLimits
from scheduler.model.retention import RETENTION_DEFAULT, Retention
from scheduler.model.transaction import Outcome, Transaction
from scheduler.ports import Clock, Planner, StateStore
from scheduler.telemetry.metrics import Metrics

TRANSACTIONS_PER_CALL_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """How the leader behaves.

    Attributes:
        watchdog_ms: wall time after which a plan is cut off and the last verified one is committed.
        mass_loss_guard_runs: more runs than this are never declared lost within a window without an
            operator.
        is_shadow: plans are made and told, and nothing is placed.
    """

    limits: WorkLimits
    watchdog_ms: int
    mass_loss_guard_runs: int
    is_shadow: bool = False
    retention: Retention = RETENTION_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The outside world of the leader."""

    store: StateStore
    mirror: Mirror
    clock: Clock
    planner: Planner
    metrics: Metrics
    settings: ControlSettings

    async def carry_out(self, moves: Iterable[Transaction]) -> list[Outcome]:
        """Write each move that still holds; what does not is computed anew in the next cycle.

        The mirror has seen the writes when this returns.

        Raises:
            LostLeadership, StoreUnavailable, NotCaughtUp
        """
        pending, outcomes = list(moves), list[Outcome]()
        for start in range(0, len(pending), TRANSACTIONS_PER_CALL_MAX):
            outcomes += await self.store.transact(pending[start : start + TRANSACTIONS_PER_CALL_MAX])
        if outcomes:
            await self.mirror.caught_up(max(revision_of(outcome) for outcome in outcomes))
        return outcomes
