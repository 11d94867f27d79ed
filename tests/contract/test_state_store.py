"""What every state store must do, checked on the memory twin, on Valkey and on Redis 7."""

import asyncio
from collections.abc import Sequence

import pytest

from scheduler.model.errors import CursorTooOld, LostLeadership
from scheduler.model.guidance import Guidance
from scheduler.model.ids import History, JobId, Revision
from scheduler.model.records import Entity, IdempotencyRecord, Key, Kind, LaunchPayload, key_of
from scheduler.model.transaction import (
    Check,
    Committed,
    Conflict,
    Fence,
    IsAbsent,
    IsAt,
    IsPlannedAt,
    Outcome,
    Put,
    StaleFence,
    Transaction,
)
from tests.builders import a_job, a_pool
from tests.contract.stores import Store, World

JOB = Key(Kind.JOB, "job")
PAYLOAD = LaunchPayload(job_id=JobId("job"), command=("train", "\x00"), env=(("KEY", "value"),))
LEASE_MS = 60_000


def a_write(
    *entities: Entity,
    checks: Sequence[Check] = (),
    deletes: Sequence[Key] = (),
    replans: bool = False,
    fence: Fence | None = None,
) -> Transaction:
    puts = tuple(Put(entity=entity, replans=replans) for entity in entities)
    return Transaction(checks=tuple(checks), puts=puts, deletes=tuple(deletes), fence=fence)


async def one(store: Store, transaction: Transaction) -> Outcome:
    (outcome,) = await store.transact([transaction])
    return outcome


async def test_a_new_store_is_empty(world: World) -> None:
    store = await world.open()

    state = await store.load()

    assert state.revision == 0
    assert all(state.count(kind) == 0 for kind in (Kind.JOB, Kind.POOL, Kind.GUIDANCE))
    assert await store.get(key_of(PAYLOAD)) is None


async def test_each_commit_has_the_next_revision(world: World) -> None:
    store = await world.open()

    outcomes = await store.transact([a_write(a_job("a")), a_write(a_job("b"))])
    outcomes = [*outcomes, await one(store, a_write(a_pool()))]

    assert outcomes == [Committed(Revision(1)), Committed(Revision(2)), Committed(Revision(3))]
    assert (await store.load()).revision == 3


async def test_a_written_record_is_loaded_and_read_back(world: World) -> None:
    store = await world.open()
    await one(store, a_write(a_job(), a_pool(), PAYLOAD))

    state = await store.load()

    assert state.job(JobId("job")) == a_job()
    assert state.version(JOB) == state.planning_version(JOB) == 1
    assert await store.get(key_of(PAYLOAD)) == PAYLOAD
    assert await store.get(JOB) == a_job()


async def test_a_deleted_record_is_gone(world: World) -> None:
    store = await world.open()
    await one(store, a_write(a_job(), PAYLOAD))

    await one(store, a_write(deletes=[JOB, key_of(PAYLOAD)]))

    assert (await store.load()).job(JobId("job")) is None
    assert await store.get(key_of(PAYLOAD)) is None


BROKEN_CHECKS = {
    "absent_but_exists": IsAbsent(JOB),
    "at_another_version": IsAt(JOB, Revision(1)),
    "at_a_version_but_absent": IsAt(Key(Kind.JOB, "none"), Revision(1)),
    "planned_at_another_version": IsPlannedAt(JOB, Revision(2)),
    "planned_but_absent": IsPlannedAt(Key(Kind.JOB, "none"), Revision(0)),
    "unmirrored_absent_but_exists": IsAbsent(key_of(PAYLOAD)),
    "unmirrored_at_another_version": IsAt(key_of(PAYLOAD), Revision(2)),
}
HOLDING_CHECKS = [
    IsAbsent(Key(Kind.JOB, "none")),
    IsAbsent(Key(Kind.PAYLOAD, "none")),
    IsAt(JOB, Revision(2)),
    IsPlannedAt(JOB, Revision(1)),
    IsAt(key_of(PAYLOAD), Revision(1)),
]


@pytest.mark.parametrize("check", BROKEN_CHECKS.values(), ids=BROKEN_CHECKS.keys())
async def test_a_broken_check_writes_nothing_and_names_the_key(world: World, check: Check) -> None:
    store = await world.open()
    await store.transact([a_write(a_job(), PAYLOAD), a_write(a_job())])

    outcome = await one(store, a_write(a_pool(), deletes=[JOB], checks=[*HOLDING_CHECKS, check]))

    assert outcome == Conflict(check.key, Revision(2))
    state = await store.load()
    assert (state.revision, state.count(Kind.POOL), state.count(Kind.JOB)) == (2, 0, 1)


async def test_checks_that_hold_let_the_write_pass(world: World) -> None:
    store = await world.open()
    await store.transact([a_write(a_job(), PAYLOAD), a_write(a_job())])

    assert await one(store, a_write(a_pool(), checks=HOLDING_CHECKS)) == Committed(Revision(3))


async def test_the_planning_version_rises_only_as_told_and_for_a_new_record(world: World) -> None:
    store = await world.open()
    planned = []
    for write in (
        a_write(a_job()),
        a_write(a_job()),
        a_write(a_job(), replans=True),
        a_write(a_job()),
        a_write(deletes=[JOB]),
        a_write(a_job()),
    ):
        await one(store, write)
        state = await store.load()
        planned.append(state.planning_version(JOB) if state.record(JOB) else None)

    assert planned == [1, 1, 3, 3, None, 6]


async def test_a_conflict_in_the_middle_of_a_batch_stops_nothing_after_it(world: World) -> None:
    store = await world.open()
    absent = [IsAbsent(JOB)]

    outcomes = await store.transact(
        [a_write(a_job(), checks=absent), a_write(a_job(), checks=absent), a_write(a_pool())]
    )

    assert outcomes == [Committed(Revision(1)), Conflict(JOB, Revision(1)), Committed(Revision(2))]


async def test_concurrent_claims_of_one_name_let_exactly_one_through(world: World) -> None:
    store, other = await world.open(), await world.open()
    claims = [one(client, a_write(a_job(), checks=[IsAbsent(JOB)])) for client in (store, other) * 50]

    outcomes = await asyncio.gather(*claims)

    assert outcomes.count(Committed(Revision(1))) == 1
    assert outcomes.count(Conflict(JOB, Revision(1))) == 99


async def test_more_transactions_than_one_call_takes_are_all_carried_out_in_order(world: World) -> None:
    store = await world.open()

    outcomes = await store.transact([a_write(a_job(f"job-{i}"), a_pool(f"pool-{i}")) for i in range(300)])

    assert outcomes == [Committed(Revision(i + 1)) for i in range(300)]


async def test_the_stream_tells_each_commit_with_its_mirrored_records(world: World) -> None:
    store = await world.open()
    history = (await store.load()).history
    await store.transact([a_write(a_job(), PAYLOAD), a_write(a_pool(), deletes=[JOB, key_of(PAYLOAD)])])

    first, second = await store.read_commits(history, Revision(0), wait_ms=0)

    assert (first.revision, second.revision) == (1, 2)
    assert [record.entity for record in first.records] == [a_job()]
    assert [record.entity for record in second.records] == [a_pool()]
    assert (first.removed, second.removed) == ((), (JOB,))


async def test_a_commit_of_unmirrored_records_alone_is_an_empty_entry(world: World) -> None:
    store = await world.open()
    history = (await store.load()).history
    await one(store, a_write(PAYLOAD))

    (commit,) = await store.read_commits(history, Revision(0), wait_ms=0)

    assert (commit.revision, commit.records, commit.removed) == (1, (), ())


async def test_a_refused_transaction_is_not_in_the_stream(world: World) -> None:
    store = await world.open()
    history = (await store.load()).history
    await one(store, a_write(a_job(), checks=[IsAt(JOB, Revision(9))]))

    assert await store.read_commits(history, Revision(0), wait_ms=0) == []


async def test_a_reader_is_woken_by_a_commit(world: World) -> None:
    store, other = await world.open(), await world.open()
    history = (await store.load()).history

    reading = asyncio.create_task(other.read_commits(history, Revision(0), wait_ms=10_000))
    await asyncio.sleep(0)
    await one(store, a_write(a_job()))
    async with asyncio.timeout(5):
        commits = await reading

    assert [commit.revision for commit in commits] == [1]


async def test_a_reader_gives_up_after_its_wait(world: World) -> None:
    store = await world.open()
    history = (await store.load()).history

    assert await store.read_commits(history, Revision(0), wait_ms=20) == []


async def test_a_cursor_of_another_history_is_refused(world: World) -> None:
    store = await world.open()
    await one(store, a_write(a_job()))

    with pytest.raises(CursorTooOld):
        await store.read_commits(History("another"), Revision(0), wait_ms=0)


async def test_a_cursor_from_the_future_is_refused(world: World) -> None:
    store = await world.open()
    history = (await store.load()).history

    with pytest.raises(CursorTooOld):
        await store.read_commits(history, Revision(1), wait_ms=0)


async def test_a_trimmed_cursor_is_refused_and_a_kept_one_is_not(world: World) -> None:
    store = await world.open(commits_retained=10)
    history = (await store.load()).history
    await store.transact([a_write(Guidance()) for _ in range(250)])

    with pytest.raises(CursorTooOld):
        await store.read_commits(history, Revision(0), wait_ms=0)
    commits = await store.read_commits(history, Revision(241), wait_ms=0)

    assert [commit.revision for commit in commits] == list(range(242, 251))
    assert (await store.load()).revision == 250


async def test_a_record_with_an_expiry_goes_by_itself(world: World) -> None:
    store = await world.open()
    record = IdempotencyRecord(id="alice/1", content_hash="h", resource_id="job")
    await one(store, Transaction(puts=(Put(entity=record, expires_after_ms=300),)))
    assert await store.get(key_of(record)) == record

    async with asyncio.timeout(5):
        while await store.get(key_of(record)) is not None:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.02)

    assert await one(store, a_write(record, checks=[IsAbsent(key_of(record))])) == Committed(Revision(2))


async def test_writing_again_without_an_expiry_keeps_a_record(world: World) -> None:
    store = await world.open()
    record = IdempotencyRecord(id="alice/1", content_hash="h", resource_id="job")
    await one(store, Transaction(puts=(Put(entity=record, expires_after_ms=30),)))
    await one(store, a_write(record))

    await asyncio.sleep(0.06)

    assert await store.get(key_of(record)) == record


async def test_a_leader_keeps_its_fence_while_it_renews(world: World) -> None:
    store = await world.open()

    fences = [await store.acquire("first", duration_ms=LEASE_MS) for _ in range(3)]

    assert fences[0] is not None
    assert fences == [fences[0]] * 3


async def test_two_leaders_are_never_there_at_once(world: World) -> None:
    store, other = await world.open(), await world.open()

    leading = await store.acquire("first", duration_ms=LEASE_MS)

    assert leading is not None
    assert await other.acquire("second", duration_ms=LEASE_MS) is None


async def test_a_shadow_leads_only_while_nobody_leads_for_real(world: World) -> None:
    store = await world.open()
    shadow = await store.acquire("shadow:first", duration_ms=LEASE_MS)
    assert shadow is not None
    assert await store.acquire("shadow:first", duration_ms=LEASE_MS) == shadow
    assert await store.acquire("shadow:other", duration_ms=LEASE_MS) is None

    leading = await store.acquire("second", duration_ms=LEASE_MS)

    assert leading is not None
    assert leading.number > shadow.number
    assert await store.acquire("shadow:first", duration_ms=LEASE_MS) is None
    assert await one(store, a_write(a_job(), fence=shadow)) == StaleFence()
    assert await one(store, a_write(a_job(), fence=leading)) == Committed(Revision(1))


async def test_a_fence_is_new_after_a_gap_and_the_old_one_writes_nothing(world: World) -> None:
    store = await world.open()
    old = await store.acquire("first", duration_ms=20)
    async with asyncio.timeout(5):
        while (new := await store.acquire("second", duration_ms=LEASE_MS)) is None:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)

    assert old is not None
    assert new.number > old.number
    assert await one(store, a_write(a_job(), fence=old)) == StaleFence()
    assert await one(store, a_write(a_job(), fence=new)) == Committed(Revision(1))


async def test_the_same_holder_gets_a_new_fence_after_a_gap(world: World) -> None:
    store = await world.open()
    old = await store.acquire("first", duration_ms=10)

    await asyncio.sleep(0.05)

    assert await store.acquire("first", duration_ms=LEASE_MS) != old


async def test_a_released_lease_is_free_and_its_fence_writes_nothing(world: World) -> None:
    store = await world.open()
    old = await store.acquire("first", duration_ms=LEASE_MS)
    assert old is not None

    await store.release(old)

    assert await one(store, a_write(a_job(), fence=old)) == StaleFence()
    assert await store.acquire("second", duration_ms=LEASE_MS) not in (None, old)


async def test_releasing_a_fence_that_is_not_the_newest_changes_nothing(world: World) -> None:
    store = await world.open()
    fence = await store.acquire("first", duration_ms=LEASE_MS)
    assert fence is not None

    await store.release(Fence(fence.number, "forged"))

    assert await store.acquire("second", duration_ms=LEASE_MS) is None
    assert await one(store, a_write(a_job(), fence=fence)) == Committed(Revision(1))


@pytest.mark.parametrize("number_shift", [-1, 0, 1])
async def test_fences_are_compared_for_equality_not_order(world: World, number_shift: int) -> None:
    store = await world.open()
    fence = await store.acquire("first", duration_ms=LEASE_MS)
    assert fence is not None

    forged = Fence(fence.number + number_shift, "forged")

    assert await one(store, a_write(a_job(), fence=forged)) == StaleFence()


async def test_a_stale_fence_comes_before_a_conflict(world: World) -> None:
    store = await world.open()
    await one(store, a_write(a_job()))

    write = a_write(a_job(), checks=[IsAbsent(JOB)], fence=Fence(1, "nobody"))

    assert await one(store, write) == StaleFence()


async def test_vouching_for_a_sound_store_keeps_its_history(world: World) -> None:
    store = await world.open()
    history = (await store.load()).history
    fence = await store.acquire("first", duration_ms=LEASE_MS)
    assert fence is not None

    assert await store.adopt_history(fence) == history


async def test_only_the_newest_fence_may_vouch_for_the_store(world: World) -> None:
    store = await world.open()
    await store.acquire("first", duration_ms=LEASE_MS)

    with pytest.raises(LostLeadership):
        await store.adopt_history(Fence(1, "forged"))


async def test_a_store_that_can_be_written_to_answers(world: World) -> None:
    store = await world.open()

    await store.ping()
