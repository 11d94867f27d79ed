"""Submissions that repeat or fail in part, and lists and watches that miss nothing."""

import threading
from collections.abc import Iterator

import grpc
import pytest

from placewright import (
    AlreadyExists,
    Client,
    InvalidRequest,
    Job,
    JobHandle,
    JobPhase,
    RequestIdReused,
    WatchEventKind,
)
from placewright.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from scheduler.bench.running_cell import WITHIN_S, Cell, a_pool, a_running_cell, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    with a_running_cell(tmp_path_factory.mktemp("cell"), a_pool("own")) as running:
        yield running


@pytest.fixture(scope="module")
def client(cell: Cell) -> Iterator[Client]:
    with cell.client() as opened:
        yield opened


def a_job(script: str, *, name: str = "job", priority_class: str = "") -> Job:
    command = ["sh", "-c", script]
    return Job(name=name, accelerators="h100:1", command=command, priority_class=priority_class)


# --- submissions ---


def test_one_bad_job_of_many_does_not_fail_the_others(client: Client) -> None:
    jobs = [a_job("true", name="good"), a_job("true", name="bad", priority_class="none"), a_job("true")]

    first, bad, last = client.submit_many(jobs)

    assert isinstance(bad, InvalidRequest)
    assert "priority_class" in bad.fields[0].field
    for handle in (first, last):
        assert isinstance(handle, JobHandle)
        assert handle.wait(timeout=WITHIN_S).phase is JobPhase.SUCCEEDED


def test_the_same_request_id_gives_the_same_job(client: Client) -> None:
    first = client.submit(a_job("true", name="once"), request_id="request-once")
    again = client.submit(a_job("true", name="once"), request_id="request-once")

    assert again.job_id == first.job_id
    assert [job.job_id for job in client.list_jobs(name="once")] == [first.job_id]


def test_a_request_id_with_other_content_is_refused(client: Client) -> None:
    client.submit(a_job("true", name="one"), request_id="request-reused")

    with pytest.raises(RequestIdReused) as refused:
        client.submit(a_job("true", name="another"), request_id="request-reused")

    assert isinstance(refused.value, AlreadyExists)
    assert list(client.list_jobs(name="another")) == []


# --- lists and watches ---


def test_list_then_watch_from_its_cursor_has_no_gap(client: Client, cell: Cell) -> None:
    names = [f"stream-{index}" for index in range(12)]
    submitting = threading.Thread(target=lambda: [client.submit(a_job("true", name=name)) for name in names])
    with grpc.insecure_channel(cell.address) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        submitting.start()
        wait_until(lambda: list(client.list_jobs(name=names[2])), "some of them are there")
        listed = stub.ListJobs(job_service_pb2.ListJobsRequest(page_size=1000))
        seen = {job.effective_spec.name: job for job in listed.jobs}
        request = job_service_pb2.WatchJobsRequest(cursor=listed.watch_cursor)
        for event in stub.WatchJobs(request, timeout=WITHIN_S):
            seen[event.job.effective_spec.name] = event.job
            if all(_succeeded(seen.get(name)) for name in names):
                break
        submitting.join()
        newest = {
            job.effective_spec.name: job for job in stub.ListJobs(job_service_pb2.ListJobsRequest()).jobs
        }

    assert [seen[name] for name in names] == [newest[name] for name in names]


def _succeeded(job: job_pb2.Job | None) -> bool:
    return job is not None and job.phase == job_pb2.JOB_PHASE_SUCCEEDED


def test_a_watch_goes_on_from_a_cursor_after_a_new_connection(client: Client, cell: Cell) -> None:
    handle = client.submit(a_job("true", name="watched"))
    events = client.watch_jobs(name="watched")
    first = next(event for event in events if event.cursor)
    events.close()  # type: ignore[attr-defined]  # an iterator of ours is a generator
    handle.wait(timeout=WITHIN_S)
    second = client.submit(a_job("true", name="watched"))
    second.wait(timeout=WITHIN_S)

    with cell.client() as another:
        finished, revisions = set[str](), list[int]()
        for event in another.watch_jobs(name="watched", cursor=first.cursor):
            revisions.append(event.revision)
            assert event.kind is WatchEventKind.CHANGED
            assert event.job is not None
            if event.job.is_finished:
                finished.add(event.job_id)
            if finished == {handle.job_id, second.job_id}:
                break

    assert revisions == sorted(revisions)
    assert min(revisions) > first.revision


def test_a_follower_sees_a_job_through_its_phases(client: Client) -> None:
    phases = [job.phase for job in client.submit(a_job("sleep 0.2")).watch()]

    assert phases[-1] is JobPhase.SUCCEEDED
    assert JobPhase.ACTIVE in phases
