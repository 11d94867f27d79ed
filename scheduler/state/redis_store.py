"""The state store in Redis or Valkey: one atomic function for writes, one stream that tells of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from scheduler.codec.records import decode_entity, decode_record
from scheduler.model.errors import CursorTooOld, LostLeadership, Overloaded, StoreUnavailable
from scheduler.model.ids import CellId, History, Revision
from scheduler.model.records import UNMIRRORED, Entity, Key, Kind
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Fence, Outcome, Transaction
from scheduler.state.batches import Prepared, arguments_of, commits_of_entries, outcomes_of, prepared
from scheduler.state.group_commit import GroupCommit
from scheduler.state.keys import MIRRORED, Keys
from scheduler.state.library import FUNCTION_PREFIX, LIBRARY
from scheduler.state.limits import COMMITS_PER_READ_MAX, COMMITS_RETAINED_MAX
from scheduler.state.link import Argument, CommandRefused, Link
from scheduler.state.server import Durability, StoreMisconfigured, inspect
from scheduler.state.topology import NO_TLS_FILES, StoreTlsFiles, TopologyKind

SCHEMA = "1"  # of keys and fields; that of entities is in their bytes

OUT_OF_MEMORY = "OOM"
RECORDS_PER_SCAN = 500
LOAD_ATTEMPTS_MAX = 3


class Judged(StrEnum):
    """What becomes of the history when a leader vouches for the server."""

    KEEP = "keep"
    NEW = "new"
    RENEW = "renew"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Where the store is and what it promises.

    Attributes:
        url: one of `topology.SCHEMES`; may hold a password, which is never shown.
        tls: files for the schemes with TLS.
        replicas_in_sync: how many must have received a write, in durability `replicated`.
        timeout_ms: of one call, connecting and waiting for a free connection included.
    """

    url: str
    cell: CellId
    durability: Durability = Durability.ALWAYS
    replicas_in_sync: int = 1
    timeout_ms: int = 5_000
    commits_retained: int = COMMITS_RETAINED_MAX
    tls: StoreTlsFiles = NO_TLS_FILES


@asynccontextmanager
async def open_redis_store(settings: RedisSettings) -> AsyncIterator["RedisStore"]:
    """A store that is ready to read, and to write to if its history is this server's.

    Raises:
        StoreMisconfigured: the server would not keep what it acknowledges.
        StoreUnavailable: the server cannot be reached.
    """
    key = Keys(settings.cell).meta
    link = Link(settings.url, timeout_ms=settings.timeout_ms, key=key, tls=settings.tls)
    try:
        store = RedisStore(link, settings)
        await store.prepare()
        # A task of its own, so that a caller that is cancelled does not take a shared call with it.
        commits = asyncio.create_task(store.run())
        try:
            yield store
        finally:
            commits.cancel()
            with suppress(asyncio.CancelledError):
                await commits
    finally:
        await link.close()


class RedisStore:
    """`StateStore` and `Leadership` in Redis; made by `open_redis_store`.

    A reply can be lost after the write: `StoreUnavailable` from `transact` says nothing about the outcome.
    Who repeats a transaction does so with its checks, which then conflict if it was carried out.
    """

    def __init__(self, link: Link, settings: RedisSettings) -> None:
        self._link = link
        self._settings = settings
        self._keys = Keys(settings.cell)
        self._group_commit = GroupCommit(self._transact)

    async def prepare(self) -> None:
        """Check the server, load the functions, and begin a history if there is none.

        Raises:
            StoreMisconfigured: a setting, the schema or the user's rights.
        """
        try:
            await self._prepare()
        except CommandRefused as error:
            if error.code != "NOPERM":
                raise
            raise StoreMisconfigured(
                f"the Redis user lacks a right: {error}; docs/operations/redis.md lists what it needs"
            ) from None

    async def _prepare(self) -> None:
        server = await inspect(self._link, self._settings.durability)
        await self._load_functions()
        history, schema = await self._meta("history", "schema")
        if schema not in (None, SCHEMA.encode()):
            raise StoreMisconfigured(f"schema of the stored keys must be {SCHEMA}, got {schema!r}")
        if history is None:
            with suppress(LostLeadership):  # another process that started now has begun one
                await self._adopt_history(fence=None, run_id=server.run_id, judged=Judged.NEW)

    async def _load_functions(self) -> None:
        try:
            await self._link.call("FUNCTION", "LOAD", LIBRARY)
        except CommandRefused as error:
            if "already exists" not in str(error):
                raise

    async def _meta(self, *fields: str) -> list[bytes | None]:
        return cast(list[bytes | None], await self._link.call("HMGET", self._keys.meta, *fields))

    async def run(self) -> None:
        """Send what `transact` was given, until cancelled."""
        await self._group_commit.run()

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        """As the port says; transactions of concurrent callers share calls."""
        return await self._group_commit.commit([prepared(transaction) for transaction in transactions])

    async def _transact(self, batch: Sequence[Prepared]) -> Sequence[Outcome | Overloaded]:
        """The outcomes; above `maxmemory` nothing new is taken on, and the others are carried out."""
        if not any(one.takes_on for one in batch):
            return await self._carry_out("transact_reserved", batch)
        try:
            return await self._carry_out("transact", batch)
        except CommandRefused as error:
            if error.code != OUT_OF_MEMORY:
                raise
            full = Overloaded(f"{self._link.url_shown}: {error}", limit="STORE_MEMORY")
        others = [one for one in batch if not one.takes_on]
        outcomes = iter(await self._carry_out("transact_reserved", others) if others else [])
        return [full if one.takes_on else next(outcomes) for one in batch]

    async def _carry_out(self, function: str, batch: Sequence[Prepared]) -> Sequence[Outcome]:
        arguments = arguments_of(batch, self._keys)
        retained = self._settings.commits_retained
        reply = await self._call_durably(
            function, arguments.keys, retained, arguments.packed, *arguments.entities
        )
        self._expect_ok(reply)
        return outcomes_of(batch, cast(list[list[int]], reply[1:]))

    async def _call_durably(self, function: str, keys: Sequence[str], *arguments: Argument) -> list[object]:
        """A function's reply, once it is as durable as promised. Redis itself waits for its own disk."""
        command = _function_call(function, keys, *arguments)
        try:
            return await self._send_durably(command)
        except CommandRefused as error:
            if "Function not found" not in str(error):
                raise
        await self._load_functions()  # another server, which never had them: nothing was written
        return await self._send_durably(command)

    async def _send_durably(self, command: tuple[Argument, ...]) -> list[object]:
        if self._settings.durability is not Durability.REPLICATED:
            return cast(list[object], await self._link.call(*command))
        wait_ms = self._settings.timeout_ms // 2
        wanted = self._settings.replicas_in_sync
        reply, received = await self._link.calls(command, ("WAIT", wanted, wait_ms))
        if cast(int, received) < wanted:
            raise StoreUnavailable(
                f"{received} replicas have received the write in {wait_ms} ms, want {wanted}"
            )
        return cast(list[object], reply)

    def _expect_ok(self, reply: Sequence[object]) -> None:
        if reply[0] != b"OK":
            raise StoreUnavailable(
                f"{self._link.url_shown} is another server or has been restarted; "
                "the leader has not yet judged what it lost"
            )

    async def load(self) -> State:
        """As the port says: the records as they are read, then every commit since before the reading."""
        for _ in range(LOAD_ATTEMPTS_MAX):
            try:
                return await self._load()
            except CursorTooOld:  # a new history, or trimmed faster than read
                continue
        raise StoreUnavailable(f"the store changed too fast to be read, {LOAD_ATTEMPTS_MAX} times")

    async def _load(self) -> State:
        history, revision = await self._meta("history", "revision")
        if history is None or revision is None:
            raise StoreUnavailable(f"{self._link.url_shown} has no history yet; the leader will begin one")
        state = State(History(history.decode()), Revision(int(revision)))
        for kind in MIRRORED:
            async for stored in self._scan(kind):
                state.put(decode_record(kind, stored))
        while commits := await self.read_commits(state.history, state.revision, wait_ms=0):
            for commit in commits:
                state.apply(commit)
        return state

    async def _scan(self, kind: Kind) -> AsyncIterator[bytes]:
        cursor = b"0"
        while True:
            reply = await self._link.call(
                "HSCAN", self._keys.records(kind), cursor, "COUNT", RECORDS_PER_SCAN
            )
            cursor, pairs = cast(tuple[bytes, list[bytes]], reply)
            for stored in pairs[1::2]:
                yield stored
            if cursor == b"0":
                return

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        """As the port says; at most `COMMITS_PER_READ_MAX` at once."""
        entries, newest = await self._read_stream(history, after, wait_ms=wait_ms)
        if not entries and newest > after:  # they came between the two reads, unless they have been trimmed
            entries, newest = await self._read_stream(history, after, wait_ms=0)
        if newest < after or (newest > after and not (entries and entries[0].revision == after + 1)):
            raise CursorTooOld(f"commits after revision {after} are not kept; the newest is {newest}")
        return entries

    async def _read_stream(
        self, history: History, after: Revision, *, wait_ms: int
    ) -> tuple[list[Commit], int]:
        """Commits after a revision that are in the stream, and the newest revision there was then.

        The history is read second. It never comes back, so if it is still the asked one then, the commits
        are of it.
        """
        block = ("BLOCK", wait_ms) if wait_ms > 0 else ()
        position = f"{after}-0"
        read = ("XREAD", "COUNT", COMMITS_PER_READ_MAX, *block, "STREAMS", self._keys.stream, position)
        meta = ("HMGET", self._keys.meta, "history", "revision")
        streams, reply = await self._link.calls_waiting(read, meta, wait_ms=wait_ms)
        current, newest = cast(list[bytes | None], reply)
        if current is None or newest is None or current.decode() != history:
            raise CursorTooOld(f"cursor of history {history}; the store's is {current!r}")
        entries = cast(list[tuple[bytes, object]], streams or [])
        commits = commits_of_entries(entries[0][1]) if entries else []
        return commits, int(newest)

    async def get(self, key: Key) -> Entity | None:
        """As the port says."""
        if key.kind in UNMIRRORED:
            stored = await self._link.call("GET", self._keys.record(key))
        else:
            stored = await self._link.call("HGET", self._keys.records(key.kind), key.id)
        return None if stored is None else _entity_of(key.kind, cast(bytes, stored))

    async def ping(self) -> None:
        """As the port says: the server answers and the history is its own."""
        (run_id,) = await self._meta("server_run_id")
        info = cast(bytes, await self._link.call("INFO", "server"))
        if run_id is None or b"run_id:" + run_id not in info:
            self._expect_ok([b"SERVER"])

    async def acquire(self, holder: str, *, duration_ms: int) -> Fence | None:
        """As the port says; `holder` names one process for as long as it lives."""
        keys = (self._keys.leader, self._keys.meta)
        reply = await self._call_durably("lead", keys, holder, duration_ms, secrets.token_hex(8))
        if reply[0] == b"HELD":
            return None
        number, _, nonce = cast(bytes, reply[1]).decode().partition(":")
        fence = Fence(int(number), nonce)
        try:
            await self.adopt_history(fence)
        except LostLeadership:  # the lease ran out in between
            return None
        return fence

    async def adopt_history(self, fence: Fence) -> History:
        """As the port says: a server that stands alone and syncs every write has lost nothing.

        Behind Sentinel or in a Cluster it may have been promoted and restarted since, so it cannot be alone.
        """
        try:
            server = await inspect(self._link, self._settings.durability)
        except StoreMisconfigured as error:
            raise StoreUnavailable(str(error)) from error
        is_alone = server.is_alone and self._link.topology.kind is TopologyKind.SERVER
        keeps = self._settings.durability is Durability.ALWAYS and is_alone
        judged = Judged.KEEP if keeps else Judged.NEW
        return await self._adopt_history(fence=fence, run_id=server.run_id, judged=judged)

    async def renew_history(self, fence: Fence) -> History:
        """Begin a new history, above every revision of this one's past: foreign records are to be written."""
        server = await inspect(self._link, self._settings.durability)
        return await self._adopt_history(fence=fence, run_id=server.run_id, judged=Judged.RENEW)

    async def _adopt_history(self, *, fence: Fence | None, run_id: str, judged: Judged) -> History:
        keys = (self._keys.meta, self._keys.stream)
        new_history = secrets.token_hex(8)
        reply = await self._call_durably(
            "adopt_history", keys, str(fence or ""), run_id, new_history, judged, SCHEMA
        )
        if reply[0] == b"FENCE":
            raise LostLeadership(f"fence {fence} is not the newest")
        self._expect_ok(reply)
        return History(cast(bytes, reply[1]).decode())

    async def release(self, fence: Fence) -> None:
        """As the port says; a released fence writes nothing any more."""
        await self._call_durably("release", (self._keys.leader, self._keys.meta), str(fence))


def _function_call(function: str, keys: Sequence[str], *arguments: Argument) -> tuple[Argument, ...]:
    return ("FCALL", FUNCTION_PREFIX + function, len(keys), *keys, *arguments)


def _entity_of(kind: Kind, stored: bytes) -> Entity:
    return decode_entity(kind, stored.split(b" ", 2)[2])
