"""What every part of the service works with."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from scheduler.mirror.mirror import Mirror
from scheduler.mirror.writes import RequestSeen, catch_up, write
from scheduler.model.errors import (
    IllegalTransition,
    NotFound,
    RequestIdReused,
    StaleEtag,
    StaleSession,
    StoreUnavailable,
)
from scheduler.model.ids import CellId, Principal, Revision
from scheduler.model.records import IdempotencyRecord, Key, key_of
from scheduler.model.retention import RETENTION_DEFAULT, Retention
from scheduler.model.state import State
from scheduler.model.transaction import IsAbsent, Put, Transaction
from scheduler.ports import Clock, StateStore

CONTENT_HASH_VERSION = "3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The outside world of the service.

    Attributes:
        random_bytes: gives that many unpredictable bytes.
    """

    cell: CellId
    store: StateStore
    mirror: Mirror
    clock: Clock
    random_bytes: Callable[[int], bytes]
    retention: Retention = RETENTION_DEFAULT

    @property
    def state(self) -> State:
        return self.mirror.state

    async def write(self, compute: Callable[[State], Transaction | None]) -> Revision:
        return await write(self.store, self.mirror, compute)

    async def write_known(self, compute: Callable[[State], Transaction | None]) -> Revision:
        """As `write`, but what is not known or not allowed here is tried once more on the newest state.

        Another replica may have told the caller of it before this one has seen it.
        """
        try:
            return await self.write(compute)
        except (NotFound, StaleSession, StaleEtag, IllegalTransition):
            await self.caught_up_with_store()
            return await self.write(compute)

    async def caught_up_with_store(self) -> Revision:
        """Wait until the mirror has seen everything that was acknowledged anywhere before this call."""
        await catch_up(self.store, self.mirror, fence=None)
        return self.state.revision

    async def write_once(
        self, record: IdempotencyRecord, compute: Callable[[State], Transaction | None]
    ) -> Revision:
        """As `write_known`, once per request id, whatever has changed since; noted even if nothing is to do.

        Raises:
            RequestIdReused: the id was used for other content.
        """
        key = key_of(record)
        try:
            if await self.store.get(key) is not None:
                raise RequestSeen(key)
            return await self.write_known(lambda state: self._noted(compute(state), record, key))
        except RequestSeen:
            pass
        except (NotFound, StaleEtag, IllegalTransition):
            if await self.store.get(key) is None:  # else it is the request itself that made it so
                raise
        await self.same_request(key, record)
        return await self.caught_up_with_store()

    async def same_request(self, key: Key, record: IdempotencyRecord) -> IdempotencyRecord:
        """What the earlier request with this id did, if it had the same content.

        Raises:
            RequestIdReused: it had other content.
        """
        earlier = await self.store.get(key)
        if earlier is None:
            raise StoreUnavailable("the record of this request id expired just now; try again")
        assert isinstance(earlier, IdempotencyRecord), earlier
        if not _same_content(earlier.content_hash, record.content_hash):
            request_id = record.id.rpartition("/")[2]
            raise RequestIdReused(f"request_id {request_id!r} was used before for something else")
        return earlier

    def _noted(self, transaction: Transaction | None, record: IdempotencyRecord, key: Key) -> Transaction:
        """The transaction together with the record of its request, or the record alone."""
        note = Put(entity=record, expires_after_ms=self.retention.after_submission_ms)
        if transaction is None:
            return Transaction(checks=(IsAbsent(key),), puts=(note,))
        checks = (*transaction.checks, IsAbsent(key))
        return replace(transaction, checks=checks, puts=(*transaction.puts, note))


def idempotency_record(
    principal: Principal, request_id: str, *, content: object, resource_id: str
) -> IdempotencyRecord:
    """The record of a request; `content` is made of dataclasses, tuples and plain values."""
    digest = hashlib.sha256(msgspec.msgpack.encode(content)).hexdigest()
    return IdempotencyRecord(
        id=f"{principal}/{request_id}",
        content_hash=f"{CONTENT_HASH_VERSION}:{digest}",
        resource_id=resource_id,
    )


def _same_content(earlier: str, now: str) -> bool:
    """Hashes of another version cannot be compared: the request is taken to be the same."""
    return earlier == now or earlier.partition(":")[0] != now.partition(":")[0]
