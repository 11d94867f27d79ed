"""The checker itself: what it accepts, what it refuses, and what it makes of calls without an answer."""

from collections.abc import Iterable

import pytest

from scheduler.model.ids import JobId, Revision
from tests.linearizability.checker import Operation, judge
from tests.linearizability.specification import (
    Accepted,
    Answer,
    Call,
    Cancel,
    Read,
    Refusal,
    Seen,
    Submit,
    Table,
    job_table,
)

Step = Operation[Call]


def ok(revision: int, job_id: str = "a") -> Accepted:
    return Accepted(JobId(job_id), Revision(revision))


def submit(begins: int, ends: int | None, answer: Answer, *, name: str = "a", content: str = "x") -> Step:
    return Operation(call=Submit(name=name, content=content, answer=answer), begins=begins, ends=ends)


def cancel(
    begins: int, ends: int | None, answer: Answer, *, reason: str = "r", etag: int | None = None, id: str = ""
) -> Step:
    """The request id is the reason's unless another is given."""
    call = Cancel(
        name="a",
        request_id=id or reason,
        reason=reason,
        etag=None if etag is None else Revision(etag),
        answer=answer,
    )
    return Operation(call=call, begins=begins, ends=ends)


def job(version: int, reason: str | None = None, *, job_id: str = "a") -> Seen:
    return Seen(name=job_id, job_id=JobId(job_id), version=Revision(version), cancel_reason=reason)


def get(begins: int, ends: int, *seen: Seen, after: Iterable[int] = ()) -> Step:
    return Operation(call=Read(name="a", seen=seen), begins=begins, ends=ends, after=frozenset(after))


def list_all(begins: int, ends: int, *seen: Seen) -> Step:
    return Operation(call=Read(name=None, seen=seen), begins=begins, ends=ends)


MADE = submit(0, 1, ok(1))
CANCELLED = cancel(2, 3, ok(2))
UNKNOWN_CANCEL = cancel(2, None, None)

GOOD = {
    "nothing": [],
    "one_after_another": [MADE, get(2, 3, job(1)), cancel(4, 5, ok(2)), get(6, 7, job(2, "r"))],
    "a_read_during_a_submit_sees_it_or_not": [submit(0, 9, ok(1)), get(1, 2), get(3, 4, job(1))],
    "of_two_cancels_at_once_one_wins": [
        MADE,
        cancel(2, 5, ok(3), reason="r"),
        cancel(3, 4, ok(2), reason="s"),
        get(6, 7, job(2, "s")),
    ],
    "the_same_submission_twice_at_once": [submit(0, 3, ok(1)), submit(1, 2, ok(1))],
    "other_content_under_a_used_request_id": [MADE, submit(2, 3, Refusal.REQUEST_ID_REUSED, content="y")],
    "another_reason_under_a_used_request_id": [
        MADE,
        CANCELLED,
        cancel(4, 5, Refusal.REQUEST_ID_REUSED, reason="s", id="r"),
    ],
    "a_stale_etag": [MADE, CANCELLED, cancel(4, 5, Refusal.STALE_ETAG, reason="s", etag=1)],
    "a_repeated_cancel_whose_etag_it_made_stale_itself": [
        MADE,
        cancel(2, 3, ok(2), etag=1),
        cancel(4, 5, ok(2), etag=1),
    ],
    "an_unknown_submit_was_carried_out": [submit(0, None, None), get(1, 2, job(1))],
    "an_unknown_submit_was_not": [submit(0, None, None), get(1, 2)],
    "an_unknown_submit_comes_late": [submit(0, None, None), get(1, 2), get(3, 4, job(1))],
    "an_unknown_cancel_was_carried_out": [
        MADE,
        UNKNOWN_CANCEL,
        cancel(4, 5, ok(3), reason="s"),
        get(6, 7, job(2, "r")),
    ],
    "an_unknown_cancel_was_not": [
        MADE,
        UNKNOWN_CANCEL,
        cancel(4, 5, ok(2), reason="s"),
        get(6, 7, job(2, "s")),
    ],
    "a_read_of_the_past_where_nothing_asks_for_more": [MADE, CANCELLED, get(0, 5, job(1), after=[0])],
    "a_list_at_one_instant": [
        MADE,
        submit(2, 3, ok(2, "b"), name="b"),
        list_all(4, 5, job(1), job(2, job_id="b")),
    ],
}
BAD = {
    "an_acknowledged_submit_is_lost": [MADE, get(2, 3)],
    "a_job_from_nowhere": [get(0, 1, job(1))],
    "a_submission_carried_out_twice": [MADE, submit(2, 3, ok(2, "b"))],
    "an_acknowledged_job_is_not_found": [MADE, cancel(2, 3, Refusal.NOT_FOUND)],
    "two_cancels_both_win": [
        MADE,
        cancel(2, 5, ok(2), reason="r"),
        cancel(3, 4, ok(3), reason="s"),
        get(6, 7, job(2, "r")),
        get(8, 9, job(3, "s")),
    ],
    "a_cancel_is_lost": [MADE, CANCELLED, get(4, 5, job(1))],
    "the_newest_etag_is_called_stale": [MADE, cancel(2, 3, Refusal.STALE_ETAG, etag=1)],
    "an_old_etag_is_taken": [MADE, CANCELLED, cancel(4, 5, ok(3), reason="s", etag=1)],
    "a_repeated_cancel_is_called_stale": [
        MADE,
        cancel(2, 3, ok(2), etag=1),
        cancel(4, 5, Refusal.STALE_ETAG, etag=1),
    ],
    "other_content_is_taken_for_the_same": [MADE, submit(2, 3, ok(1), content="y")],
    "the_same_content_is_taken_for_other": [MADE, submit(2, 3, Refusal.REQUEST_ID_REUSED)],
    "a_read_goes_back": [submit(0, 9, ok(1)), get(1, 2, job(1)), get(3, 4)],
    "an_unknown_submit_comes_and_goes": [submit(0, None, None), get(1, 2, job(1)), get(3, 4)],
    "an_unknown_cancel_comes_before_it_was_sent": [MADE, get(2, 3, job(2, "r")), cancel(4, None, None)],
    "a_read_older_than_the_write_that_it_must_see": [MADE, CANCELLED, get(0, 5, job(1), after=[1])],
    "a_version_that_was_never_told": [MADE, get(2, 3, job(7))],
    "a_list_of_two_instants": [
        submit(0, 9, ok(1)),
        submit(1, 8, ok(2, "b"), name="b"),
        list_all(2, 3, job(1)),
        list_all(4, 5, job(2, job_id="b")),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_can_be_told_in_one_order_is_accepted(name: str) -> None:
    assert judge(GOOD[name], job_table, start=Table()).is_linearizable


@pytest.mark.parametrize("name", BAD)
def test_what_can_be_told_in_no_order_is_refused(name: str) -> None:
    assert not judge(BAD[name], job_table, start=Table()).is_linearizable


def test_the_order_keeps_to_real_time_and_names_every_answered_call_once() -> None:
    history = GOOD["one_after_another"]

    assert judge(history, job_table, start=Table()).order == tuple(range(len(history)))


def test_a_refused_history_tells_how_far_it_could_be_followed() -> None:
    verdict = judge([MADE, CANCELLED, get(4, 5, job(1))], job_table, start=Table())

    assert verdict.order == (0, 1)


def test_many_calls_at_once_are_searched_without_going_over_the_same_ground() -> None:
    submits = [submit(number, 100 + number, None) for number in range(7)]
    cancels = [cancel(10 + number, 120 + number, None, reason=f"{number}") for number in range(7)]

    assert judge([*submits, *cancels], job_table, start=Table()).is_linearizable
    assert not judge([MADE, *cancels, get(200, 201)], job_table, start=Table()).is_linearizable
