"""The seams: what the actors need from the outside world."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from scheduler.model.explanation import WhyWaiting
from scheduler.model.ids import History, ReplicaId, Revision
from scheduler.model.plan import Plan, WorkLimits
from scheduler.model.records import Entity, Key
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Fence, Outcome, Transaction
from scheduler.model.whatif import Hypotheses, WhatIf

SHADOW_HOLDER_PREFIX = "shadow:"


class Clock(Protocol):
    """Time. Virtual in the simulation."""

    def now_ms(self) -> int:
        """Wall-clock time in milliseconds since the epoch, for records and people."""

    def monotonic_ms(self) -> int:
        """Time that never jumps, for judging leases and back-offs within one process."""

    async def sleep(self, duration_ms: int) -> None: ...


class StateStore(Protocol):
    """Where every fact is kept.

    Every method may raise `StoreUnavailable`: nothing is known about the outcome then.
    """

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        """Carry out each transaction whole or not at all, in order; durable when it returns.

        Each gets its own outcome; one that conflicts does not stop the next.
        """

    async def load(self) -> State:
        """Everything mirrored, at one revision."""

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        """Commits after a revision, in order and without a gap; waits up to `wait_ms` for the first.

        Raises:
            CursorTooOld: of another history, or trimmed.
        """

    async def get(self, key: Key) -> Entity | None:
        """One record of an unmirrored kind."""

    async def ping(self) -> None:
        """Answer if the store can be written to."""


class Leadership(Protocol):
    """The leader lease."""

    async def acquire(self, holder: str, *, duration_ms: int) -> Fence | None:
        """Take or renew the leader lease; None while another holds it.

        A fence stays the same while the holder renews in time, and is new after any gap. The leader
        also vouches for the store as it is: a restarted store refuses writes until then, and its history
        is kept only where nothing acknowledged can be missing.

        A holder whose name begins with `SHADOW_HOLDER_PREFIX` gives way: any other takes the lease from it,
        with a new fence (docs/decisions/shadow.md).
        """

    async def release(self, fence: Fence) -> None:
        """Give the lease up, if it is still this one."""


class StateCopy(Protocol):
    """What has a copy of the state of its own."""

    async def reset(self, state: State) -> None:
        """Replace the copy."""

    async def observe(self, commits: Sequence[Commit]) -> None:
        """Bring the copy up to date; called in order and without a gap."""


class Planner(StateCopy, Protocol):
    """Planning, wherever it runs, over its own copy of the state.

    Every plan it yields has passed `planning.verify`.
    """

    def plan(self, *, now_ms: int, limits: WorkLimits) -> AsyncGenerator[Plan, None]:
        """The floor first, then the improved plan, for the copy as it is at the call.

        Raises:
            PlannerFailed: the planner died or gave a plan that `verify` refuses; a new one is ready.
        """

    async def interrupt(self) -> None:
        """Stop a plan that takes too long; the running `plan` ends with what it has yielded."""

    async def close(self) -> None: ...


class WhatIfPlanner(StateCopy, Protocol):
    """Answers what-if questions over its own copy of the state, one at a time. Its plans are verified."""

    async def what_if(self, hypotheses: Hypotheses, *, now_ms: int, limits: WorkLimits) -> WhatIf:
        """How the plan for the copy as it is would differ. Cancelled, it stops working on it.

        Raises:
            PlannerFailed: it died or made a plan that `verify` refuses; a new one takes the next question.
        """

    async def why_waiting(
        self, replica_id: ReplicaId, *, now_ms: int, limits: WorkLimits
    ) -> WhyWaiting | None:
        """Why the replica waits; None when it does not. As `what_if` otherwise."""

    async def close(self) -> None: ...
