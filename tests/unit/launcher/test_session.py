"""What becomes of the work of a session that ends."""

import asyncio

from placewright.launcher import session as sessions
from placewright.launcher.session import Session


async def test_what_was_asked_before_the_stream_ended_may_still_be_answered() -> None:
    """So drains a replica: it ends its streams and answers what it was asked before."""
    session, answer, taken = Session("s1"), asyncio.Event(), asyncio.Event()

    async def ask() -> None:
        await answer.wait()
        taken.set()

    session.spawn(ask())
    ending = asyncio.ensure_future(session.end())
    await session.is_over.wait()
    answer.set()
    await ending

    assert taken.is_set()


async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever() -> None:
    session, is_cancelled = Session("s1"), asyncio.Event()

    async def ask() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            is_cancelled.set()

    session.spawn(ask())
    await asyncio.wait_for(session.end(), sessions.ANSWERS_S_MAX + 10)

    assert is_cancelled.is_set()
