"""Quotas: what operators say of queues and cohorts."""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.model.errors import NotFound, StaleEtag
from scheduler.model.ids import QueueName, Revision
from scheduler.model.queue import Cohort, CohortName, Queue
from scheduler.model.records import Key, Kind, key_of
from scheduler.model.state import State
from scheduler.model.transaction import Transaction
from scheduler.model.transitions.queues import applied, deleted
from scheduler.planning.quota_usage import QuotaUse
from scheduler.service.fleet import Caller
from scheduler.service.parts import Parts, idempotency_record
from scheduler.service.queues import Queues, QueueView, generation_of, quota_uses_now

ANY_REVISION = Revision(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortView:
    """A cohort as callers see it.

    Attributes:
        quotas: by resource.
    """

    cohort: Cohort
    generation: int
    quotas: tuple[QuotaUse, ...]


class Quotas:
    """What operators may ask of queues' and cohorts' records.

    A `generation` is of what a record says: the same again when operators say the same again.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._queues = Queues(parts)

    async def apply_queue(
        self, queue: Queue, *, generation: int | None, caller: Caller
    ) -> tuple[QueueView, Revision]:
        """Give the queue quotas, or change them.

        Raises:
            NotFound, StaleEtag, IllegalTransition, RequestIdReused
        """
        revision = await self.apply(queue, generation=generation, caller=caller)
        return await self._queues.get(queue.name, min_revision=ANY_REVISION), revision

    async def apply_cohort(
        self, cohort: Cohort, *, generation: int | None, caller: Caller
    ) -> tuple[CohortView, Revision]:
        """Create the cohort or change it.

        Raises:
            NotFound, StaleEtag, IllegalTransition, RequestIdReused
        """
        revision = await self.apply(cohort, generation=generation, caller=caller)
        views = await self.list_cohorts(min_revision=ANY_REVISION)
        found = next((view for view in views if view.cohort.name == cohort.name), None)
        if found is None:  # a repetition, after the cohort has gone
            raise NotFound("cohort", cohort.name)
        return found, revision

    async def apply(self, holder: Queue | Cohort, *, generation: int | None, caller: Caller) -> Revision:
        """As `apply_queue` and `apply_cohort`, for who does not look at the result."""
        key = key_of(holder)

        def compute(state: State) -> Transaction | None:
            _check_generation(state, key, generation)
            return applied(state, holder)

        record = idempotency_record(
            caller.principal,
            caller.request_id,
            content=("apply", key.kind, holder),
            resource_id=key.id,
        )
        return await self._parts.write_once(record, compute)

    async def delete_queue(self, name: QueueName, *, generation: int | None, caller: Caller) -> Revision:
        """Take the queue's quotas away; its jobs stay.

        Raises:
            NotFound, StaleEtag, RequestIdReused
        """
        return await self._delete(Key(Kind.QUEUE, name), generation, caller)

    async def delete_cohort(self, name: CohortName, *, generation: int | None, caller: Caller) -> Revision:
        """Remove the cohort.

        Raises:
            NotFound, StaleEtag, RequestIdReused
            IllegalTransition: it has members.
        """
        return await self._delete(Key(Kind.COHORT, name), generation, caller)

    async def _delete(self, key: Key, generation: int | None, caller: Caller) -> Revision:
        def compute(state: State) -> Transaction | None:
            if state.record(key) is None:
                raise NotFound(key.kind, key.id)
            _check_generation(state, key, generation)
            return deleted(state, key)

        record = idempotency_record(
            caller.principal,
            caller.request_id,
            content=("delete", key.kind, key.id),
            resource_id=key.id,
        )
        return await self._parts.write_once(record, compute)

    async def list_cohorts(self, *, min_revision: Revision) -> Sequence[CohortView]:
        """Every cohort by name.

        Raises:
            NotCaughtUp
        """
        await self._parts.mirror.caught_up(min_revision)
        uses = await quota_uses_now(self._parts)
        state = self._parts.state
        return [
            CohortView(
                cohort=cohort,
                generation=generation_of(cohort),
                quotas=uses.cohorts.get(cohort.name, ()),
            )
            for cohort in state.cohorts()
        ]


def _check_generation(state: State, key: Key, generation: int | None) -> None:
    """That the record is still what the caller read; None: in any case."""
    if generation is None:
        return
    record = state.record(key)
    if record is None:
        raise NotFound(key.kind, key.id)
    assert isinstance(record.entity, Queue | Cohort), record
    if generation_of(record.entity) != generation:
        raise StaleEtag(f"{key.kind} {key.id} has changed since the etag was read: read it again")
