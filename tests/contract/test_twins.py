"""Random transactions step by step on the memory store and on a real one: same outcomes, same state.

And for both: what is loaded is what the stream tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.model.guidance import Guidance
from scheduler.model.ids import JobId, PoolId, Revision
from scheduler.model.records import (
    UNMIRRORED,
    Entity,
    IdempotencyRecord,
    Key,
    Kind,
    LaunchPayload,
    Record,
    key_of,
)
from scheduler.model.state import State
from scheduler.model.transaction import Check, Commit, Fence, IsAbsent, IsAt, IsPlannedAt, Put, Transaction
from scheduler.state.memory import MemoryStore
from tests.builders import a_job, a_pool
from tests.contract.stores import RealClock, Store, world_at

ENTITIES: Sequence[Entity] = (
    a_job("a"),
    a_job("b"),
    a_pool("p"),
    Guidance(),
    LaunchPayload(job_id=JobId("a"), command=("\udcff".encode(errors="surrogatepass").hex(),), env=()),
    IdempotencyRecord(id="alice/1", content_hash="", resource_id="a"),
)


@dataclass(frozen=True, slots=True)
class CheckDraft:
    """A check whose version is counted from the record's own, so that it often holds."""

    kind: type[IsAbsent] | type[IsAt] | type[IsPlannedAt]
    entity: int
    shift: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction before it is known what is in the store.

    Attributes:
        written: by index of an entity: 0 not at all, 1 put, 2 put that replans, 3 deleted.
    """

    checks: tuple[CheckDraft, ...]
    written: tuple[int, ...]
    text: str
    fence: int


check_drafts = st.builds(
    CheckDraft,
    st.sampled_from((IsAbsent, IsAt, IsPlannedAt)),
    st.integers(0, len(ENTITIES) - 1),
    st.sampled_from((0, 0, 0, 1)),
)
drafts = st.builds(
    Draft,
    checks=st.lists(check_drafts, max_size=2).map(tuple),
    written=st.tuples(*[st.sampled_from((0, 0, 1, 1, 2, 3))] * len(ENTITIES)).filter(any),
    text=st.text(max_size=3),
    fence=st.sampled_from((0, 0, 1, 2)),
)
batches = st.lists(st.lists(drafts, min_size=1, max_size=4), min_size=1, max_size=12)


def written(entity: Entity, text: str) -> Entity:
    """The entity with other content, so that each write leaves a trace."""
    match entity:
        case IdempotencyRecord():
            return replace(entity, content_hash=text)
        case LaunchPayload():
            return replace(entity, env=((text, text),))
        case Guidance():
            return Guidance(shadow_prices=((PoolId(text), len(text)),))
        case _:
            return entity


def a_check(draft: CheckDraft, state: State) -> Check:
    key = key_of(ENTITIES[draft.entity])
    record: Record | None = None if key.kind in UNMIRRORED else state.record(key)
    if draft.kind is IsAbsent:
        return IsAbsent(key)
    if draft.kind is IsAt:
        return IsAt(key, Revision((record.version if record else 0) + draft.shift))
    return IsPlannedAt(key, Revision((record.planning_version if record else 0) + draft.shift))


def a_transaction(draft: Draft, state: State, fences: Sequence[Fence | None]) -> Transaction:
    chosen = list(zip(ENTITIES, draft.written, strict=True))
    return Transaction(
        checks=tuple(a_check(check, state) for check in draft.checks),
        puts=tuple(
            Put(entity=written(entity, draft.text), replans=how == 2)
            for entity, how in chosen
            if how in (1, 2)
        ),
        deletes=tuple(key_of(entity) for entity, how in chosen if how == 3),
        fence=fences[draft.fence],
    )


async def fences_of(store: Store) -> Sequence[Fence | None]:
    """None, the newest, and one that was the newest."""
    old = await store.acquire("first", duration_ms=60_000)
    assert old is not None
    await store.release(old)
    return (None, await store.acquire("second", duration_ms=60_000), old)


def contents(state: State) -> dict[Key, Record]:
    kinds = [kind for kind in Kind if kind not in UNMIRRORED]
    return {key_of(record.entity): record for kind in kinds for record in state.records(kind)}


async def replayed(store: Store, state: State) -> tuple[State, Sequence[Commit]]:
    """The state that the stream alone tells."""
    told = State(state.history)
    commits = await store.read_commits(state.history, Revision(0), wait_ms=0)
    for commit in commits:
        told.apply(commit)
    return told, commits


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=batches)
async def test_a_real_store_does_what_its_twin_does(real_url: str, steps: list[list[Draft]]) -> None:
    async with world_at(real_url) as world:
        real, twin = await world.open(), MemoryStore(RealClock())
        real_fences, twin_fences = await fences_of(real), await fences_of(twin)

        for batch in steps:
            before = await twin.load()
            on_real = await real.transact([a_transaction(draft, before, real_fences) for draft in batch])
            on_twin = await twin.transact([a_transaction(draft, before, twin_fences) for draft in batch])
            assert on_real == on_twin

        real_state, twin_state = await real.load(), await twin.load()
        real_told, real_commits = await replayed(real, real_state)
        twin_told, twin_commits = await replayed(twin, twin_state)
        assert contents(real_state) == contents(twin_state) == contents(real_told) == contents(twin_told)
        assert real_state.revision == twin_state.revision == real_told.revision
        assert list(real_commits) == list(twin_commits)
        for entity in ENTITIES:
            assert await real.get(key_of(entity)) == await twin.get(key_of(entity))
