"""A watch survives outages without a gap, and says when it had to start anew."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from placewright import AsyncClient, Client, InvalidRequest, Job, JobEvent, PlacewrightError, Unavailable
from tests.unit.client.fake_service import FakeService, a_status


def a_job(name: str) -> Job:
    return Job(name=name, accelerators="h100", command=["train"])


def told(events: Iterator[JobEvent], count: int) -> list[str]:
    """The next events as `kind name`."""
    given = []
    for _ in range(count):
        event = next(events)
        name = event.job.name if event.job is not None else event.job_id
        given.append(f"{event.kind} {name}".strip())
    return given


def test_it_starts_with_what_is_there_and_goes_on_with_changes(client: Any, service: FakeService) -> None:
    handle = client.submit(a_job("one"))
    events = client.watch_jobs()

    assert told(events, 2) == ["changed one", "initial_end"]

    client.submit(a_job("two"))
    service.remove(handle.job_id)
    assert told(events, 2) == ["changed two", "removed main-0000"]
    events.close()


def test_it_goes_on_by_cursor_after_the_stream_was_cut(client: Any, service: FakeService) -> None:
    events = client.watch_jobs()
    told(events, 1)
    client.submit(a_job("one"))
    told(events, 1)

    service.cut_streams()
    client.submit(a_job("two"))

    assert told(events, 1) == ["changed two"]
    client.submit(a_job("three"))
    assert told(events, 1) == ["changed three"]
    assert service.requests["WatchJobs"][0].cursor == ""
    assert service.requests["WatchJobs"][-1].cursor in ("1/", "2/")
    events.close()


def test_it_outlives_a_restart_of_the_service(client: Any, service: FakeService) -> None:
    events = client.watch_jobs()
    told(events, 1)

    service.stop()
    service.start()
    client.submit(a_job("after"))

    assert told(events, 1) == ["changed after"]
    events.close()


def test_a_cursor_that_is_too_old_restarts_it_from_a_list_and_is_marked(
    client: Any, service: FakeService
) -> None:
    client.submit(a_job("one"))
    events = client.watch_jobs()
    told(events, 2)

    service.trim()

    assert told(events, 3) == ["restarted", "changed one", "initial_end"]
    events.close()


def test_a_position_that_is_lost_at_the_start_is_no_end(client: Any, service: FakeService) -> None:
    service.faults["WatchJobs"] = [a_status(grpc.StatusCode.OUT_OF_RANGE, "loaded anew")]

    events = client.watch_jobs()

    assert told(events, 1) == ["initial_end"]
    events.close()


def test_it_goes_on_from_the_cursor_of_an_earlier_event(client: Any) -> None:
    client.submit(a_job("one"))
    events = client.watch_jobs()
    next(events)
    cursor = next(events).cursor
    events.close()
    client.submit(a_job("two"))

    again = client.watch_jobs(cursor=cursor)

    assert told(again, 1) == ["changed two"]
    again.close()


def test_it_has_no_cursor_until_the_initial_end(client: Any) -> None:
    client.submit(a_job("one"))
    events = client.watch_jobs()

    first, end = next(events), next(events)

    assert (first.cursor, first.revision) == ("", 0)
    assert end.cursor
    assert end.revision == 1
    events.close()


def test_it_goes_on_with_the_same_filter(client: Any, service: FakeService) -> None:
    events = client.watch_jobs(name="two")
    told(events, 1)

    service.cut_streams()
    client.submit(a_job("one"))
    client.submit(a_job("two"))

    assert told(events, 1) == ["changed two"]
    first, *others = service.requests["WatchJobs"]
    assert others
    assert all(request.filter == first.filter and request.cursor for request in others)
    events.close()


def test_the_same_filter_in_another_order_is_the_same(client: Any) -> None:
    events = client.watch_jobs(queue=["b", "a"], phase=["pending", "active"])
    cursor = next(events).cursor
    events.close()
    client.submit(Job(name="one", accelerators="h100", command=["train"], queue="a"))

    again = client.watch_jobs(queue=["a", "b", "a"], phase=["active", "pending"], cursor=cursor)

    assert told(again, 1) == ["changed one"]
    again.close()


def test_a_cursor_of_another_filter_is_refused(client: Any) -> None:
    events = client.watch_jobs()
    cursor = next(events).cursor
    events.close()

    with pytest.raises(InvalidRequest, match="another filter"):
        next(client.watch_jobs(name="two", cursor=cursor))


def test_one_that_never_reached_the_service_says_so_at_once(client: Any, service: FakeService) -> None:
    service.faults["WatchJobs"] = [a_status(grpc.StatusCode.UNAVAILABLE, "starting") for _ in range(5)]

    with pytest.raises(Unavailable, match="starting"):
        next(client.watch_jobs())


def test_one_gives_up_when_the_outage_lasts_too_long(service: FakeService) -> None:
    with Client(service.address, outage_s_max=0.3) as client:
        events = client.watch_jobs()
        next(events)
        service.faults["WatchJobs"] = [a_status(grpc.StatusCode.UNAVAILABLE, "gone") for _ in range(50)]
        service.cut_streams()

        with pytest.raises(Unavailable):
            next(events)


def test_a_refusal_ends_it(client: Any, service: FakeService) -> None:
    service.faults["WatchJobs"] = [a_status(grpc.StatusCode.PERMISSION_DENIED, "no")]

    with pytest.raises(Exception, match="no"):
        next(client.watch_jobs())


def test_one_ends_with_an_error_when_its_client_is_closed(client: Any) -> None:
    events = client.watch_jobs()
    next(events)
    closer = threading.Thread(target=client.close)

    closer.start()
    with pytest.raises(PlacewrightError, match="the client was closed"):
        next(events)

    closer.join()


async def test_a_cancelled_wait_gives_its_stream_back(service: FakeService) -> None:
    async with AsyncClient(service.address) as client:
        handle = await client.submit(a_job("one"))
        waiting = asyncio.create_task(handle.wait())
        await asyncio.to_thread(service.wait_for_requests, "WatchJobs", 1)

        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert (await handle.refresh()).name == "one"
        await asyncio.to_thread(service.wait_for_no_watch)
