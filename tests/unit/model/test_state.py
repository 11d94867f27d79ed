"""The state: what it takes over, what it passes over, and indexes that agree with a full scan."""

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model.ids import JobId, QueueName, Revision
from scheduler.model.job import Job, JobPhase
from scheduler.model.records import Entity, Key, Kind, Record, key_of
from scheduler.model.run import EndReason, Run, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.model.transitions.ending import ended
from tests.builders import NOW_MS, a_job, a_pool, a_run, a_state

POOLS = (a_pool("east"), a_pool("west"))


def a_record(entity: Entity, revision: int) -> Record:
    return Record(entity=entity, version=Revision(revision), planning_version=Revision(revision))


def a_commit(revision: int, *entities: Entity, removed: tuple[Key, ...] = ()) -> Commit:
    records = tuple(a_record(entity, revision) for entity in entities)
    return Commit(revision=Revision(revision), records=records, removed=removed)


def a_finished_job(job_id: str) -> Job:
    return replace(a_job(job_id), outcome=JobPhase.SUCCEEDED, finished_at_ms=NOW_MS)


def job_variants(number: int) -> list[Job]:
    return [a_job(f"job-{number}"), a_finished_job(f"job-{number}")]


def run_variants(number: int) -> list[Run]:
    """A run of job-`number` in some states; its pool never changes."""
    run = a_run(a_job(f"job-{number}"), POOLS[number % 2])
    starting = a_run(a_job(f"job-{number}"), POOLS[number % 2], state=RunState.STARTING)
    return [starting, run, ended(run, EndReason.SUCCEEDED, now_ms=NOW_MS)]


ENTITIES: list[Entity] = [job for number in range(4) for job in job_variants(number)]
ENTITIES += [run for number in range(4) for run in run_variants(number)]
KEYS = sorted({key_of(entity) for entity in ENTITIES}, key=lambda key: (key.kind, key.id))


@st.composite
def histories(draw: st.DrawFn) -> list[Commit]:
    """Commits with revisions from 1 on, each writing or removing a record at most once."""
    commits = []
    for revision in range(1, draw(st.integers(1, 15)) + 1):
        written = draw(st.lists(st.sampled_from(ENTITIES), max_size=3, unique_by=key_of))
        keys = {key_of(entity) for entity in written}
        gone = draw(st.lists(st.sampled_from([k for k in KEYS if k not in keys]), max_size=1))
        commits.append(a_commit(revision, *written, removed=tuple(gone)))
    return commits


def replayed(commits: list[Commit]) -> State:
    state = a_state(revision=0)
    for commit in commits:
        state.apply(commit)
    return state


def content(state: State) -> object:
    """All that a state says."""
    return (
        state.revision,
        {kind: {key_of(r.entity): r for r in state.records(kind)} for kind in (Kind.JOB, Kind.RUN)},
        state.all_live_runs(),
        state.unfinished_jobs(),
    )


@given(commits=histories())
def test_the_index_of_live_runs_agrees_with_a_full_scan(commits: list[Commit]) -> None:
    state = replayed(commits)

    runs = [cast(Run, record.entity) for record in state.records(Kind.RUN)]
    live = sorted((run for run in runs if run.is_live), key=lambda run: (run.pool_id, run.id))
    assert state.all_live_runs() == live
    for pool in POOLS:
        assert state.live_runs(pool.id) == [run for run in live if run.pool_id == pool.id]


@given(commits=histories())
def test_the_index_of_unfinished_jobs_agrees_with_a_full_scan(commits: list[Commit]) -> None:
    state = replayed(commits)

    jobs = sorted((cast(Job, r.entity) for r in state.records(Kind.JOB)), key=lambda job: job.id)
    assert state.unfinished_jobs() == [job for job in jobs if not job.is_finished]
    assert state.finished_jobs() == [job for job in jobs if job.is_finished]


@given(commits=histories())
def test_the_state_holds_what_was_written_last_and_not_removed_since(commits: list[Commit]) -> None:
    newest: dict[Key, Record] = {}
    for commit in commits:
        newest |= {key_of(record.entity): record for record in commit.records}
        newest = {key: record for key, record in newest.items() if key not in commit.removed}

    state = replayed(commits)

    assert {key: state.record(key) for key in KEYS if state.record(key) is not None} == newest
    assert state.revision == len(commits)


@settings(max_examples=50)
@given(commits=histories(), data=st.data())
def test_a_commit_that_comes_again_changes_nothing(commits: list[Commit], data: st.DataObject) -> None:
    state = replayed(commits)
    before = content(state)

    for commit in data.draw(st.lists(st.sampled_from(commits), max_size=5)):
        state.apply(commit)

    assert content(state) == before


def test_a_record_that_is_newer_than_a_commit_stays_as_it_is() -> None:
    """A state is loaded record by record while others write: some are newer than its revision."""
    state = a_state(revision=3)
    state.put(a_record(a_finished_job("job"), 7))

    state.apply(a_commit(4, a_job("job")))
    state.apply(a_commit(5, removed=(Key(Kind.JOB, "job"),)))

    assert state.job(JobId("job")) == a_finished_job("job")
    assert state.version(Key(Kind.JOB, "job")) == 7
    assert state.unfinished_jobs() == []
    assert state.revision == 5


def test_what_was_removed_does_not_come_back_with_an_older_commit() -> None:
    state = a_state(revision=0)
    written = a_commit(1, *run_variants(0)[:1], a_job("job-0"))
    state.apply(written)
    state.apply(a_commit(2, removed=tuple(key_of(record.entity) for record in written.records)))

    state.apply(written)

    assert state.all_live_runs() == []
    assert state.unfinished_jobs() == []


def test_several_commits_of_one_revision_build_one_state() -> None:
    state = a_state(revision=0)

    for entity in (a_job("a"), a_job("b"), a_pool("c")):
        state.apply(a_commit(9, entity))

    assert [job.id for job in state.unfinished_jobs()] == ["a", "b"]
    assert [pool.id for pool in state.pools()] == ["c"]


def test_removing_what_was_never_there_changes_nothing() -> None:
    state = a_state(a_job("job"))

    state.apply(a_commit(2, removed=(Key(Kind.RUN, "nobody-0-1"), Key(Kind.JOB, "nobody"))))

    assert state.ids(Kind.JOB) == ["job"]


def test_a_record_of_a_removed_id_is_new() -> None:
    state = a_state(a_pool("pool"))
    state.apply(a_commit(2, removed=(Key(Kind.POOL, "pool"),)))
    newer = a_pool("pool", nodes=2)

    state.apply(a_commit(3, newer))

    assert state.pools() == [newer]


def test_asking_for_the_version_of_what_is_not_there_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        a_state().version(Key(Kind.JOB, "nobody"))


def test_unfinished_jobs_are_counted_by_queue_as_they_come_change_and_go() -> None:
    state = a_state(a_job("a", queue="one"), a_job("b", queue="one"), a_job("c", queue="two"))
    queues = [QueueName("one"), QueueName("two")]
    assert [state.unfinished_count_in(queue) for queue in queues] == [2, 1]

    state.apply(a_commit(2, a_job("a", queue="two")))
    state.apply(
        a_commit(3, replace(a_job("b", queue="one"), outcome=JobPhase.SUCCEEDED, finished_at_ms=NOW_MS))
    )
    assert [state.unfinished_count_in(queue) for queue in queues] == [0, 2]

    state.apply(a_commit(4, removed=(Key(Kind.JOB, "c"), Key(Kind.JOB, "b"))))
    assert [state.unfinished_count_in(queue) for queue in queues] == [0, 1]
    assert state.unfinished_count == 1
