"""A load generator, in a process of its own: loads come in and results go out as lines of JSON."""

import asyncio
import itertools
import secrets
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import grpc
import msgspec
import uvloop

from scheduler.bench import messages

Send = Callable[[bytes], Awaitable[bytes]]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to send.

    Attributes:
        seconds: how long calls are begun.
        in_flight: calls under way at a time (closed loop); with a rate, the most there may be.
        rate: calls per second that are begun whatever the answers do (open loop); 0: closed loop.
        jobs_per_call: of SubmitJobs.
        job_ids: for GetJob, in turn.
    """

    method: str
    seconds: float
    in_flight: int
    rate: float = 0.0
    jobs_per_call: int = 1
    job_ids: tuple[str, ...] = ()


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came back.

    Attributes:
        seconds: from the first call to the last answer.
        latencies_ms: at the percentiles 50, 90, 99 and 100 of calls that were answered OK.
        failed: calls by gRPC code.
        not_begun: calls of an open loop that `in_flight` did not let begin.
        job_ids: of the jobs that were accepted, the first thousand.
    """

    calls: int
    seconds: float
    latencies_ms: tuple[float, ...]
    failed: dict[str, int]
    not_begun: int
    job_ids: tuple[str, ...]


JOB_IDS_KEPT = 1_000


@dataclass
class _Tally:
    latencies_s: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    not_begun: int = 0
    job_ids: list[str] = field(default_factory=list)

    def result(self, seconds: float) -> LoadResult:
        ordered = sorted(self.latencies_s)
        return LoadResult(
            calls=len(ordered),
            seconds=seconds,
            latencies_ms=tuple(percentile(ordered, p) * 1000 for p in (50, 90, 99, 100)),
            failed=dict(self.failed),
            not_begun=self.not_begun,
            job_ids=tuple(self.job_ids[:JOB_IDS_KEPT]),
        )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Of ascending numbers; 0 if there are none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


async def carry_out(load: Load, channel: grpc.aio.Channel) -> LoadResult:
    """Send the load and wait for every answer."""
    send: Send = channel.unary_unary(load.method, None, None)  # type: ignore[assignment]  # bytes in, bytes out
    requests, tally = _requests(load), _Tally()
    began_s = time.perf_counter()
    if load.rate:
        await _open_loop(load, send, requests, tally)
    else:
        callers = (_caller(load, send, requests, tally, began_s) for _ in range(load.in_flight))
        await asyncio.gather(*callers)
    return tally.result(time.perf_counter() - began_s)


async def _caller(load: Load, send: Send, requests: Iterator[bytes], tally: _Tally, began_s: float) -> None:
    """One caller of a closed loop: the next call begins when the last is answered."""
    while time.perf_counter() - began_s < load.seconds:
        await _call(load, send, next(requests), tally)


async def _open_loop(load: Load, send: Send, requests: Iterator[bytes], tally: _Tally) -> None:
    """Begin calls on time; a slow service does not slow its callers."""
    began_s, calls = time.perf_counter(), set[asyncio.Task[None]]()
    for number in range(int(load.seconds * load.rate)):
        await asyncio.sleep(max(0.0, began_s + number / load.rate - time.perf_counter()))
        if len(calls) >= load.in_flight:
            tally.not_begun += 1
            continue
        call = asyncio.create_task(_call(load, send, next(requests), tally))
        calls.add(call)
        call.add_done_callback(calls.discard)
    await asyncio.gather(*calls)


async def _call(load: Load, send: Send, request: bytes, tally: _Tally) -> None:
    began_s = time.perf_counter()
    try:
        answer = await send(request)
    except grpc.aio.AioRpcError as error:
        tally.failed[error.code().name] += 1
        return
    tally.latencies_s.append(time.perf_counter() - began_s)
    if load.method == messages.SUBMIT_JOBS and len(tally.job_ids) < JOB_IDS_KEPT:
        tally.job_ids += messages.submitted_ids(answer)


def _requests(load: Load) -> Iterator[bytes]:
    """Requests without end; each submission has a request id and a job name of its own."""
    match load.method:
        case messages.ECHO:
            yield from itertools.repeat(messages.submit_request())
        case messages.GET_JOB:
            yield from itertools.cycle([messages.get_request(job_id) for job_id in load.job_ids])
        case messages.SUBMIT_JOB:
            request = messages.submit_request()
            for request_id in _request_ids():
                yield messages.of_its_own(request, request_id)
        case messages.SUBMIT_JOBS:
            request_ids = _request_ids()
            while True:
                yield messages.submit_many_request(list(itertools.islice(request_ids, load.jobs_per_call)))
        case _:
            raise AssertionError(load.method)


def _request_ids() -> Iterator[str]:
    digits = messages.REQUEST_ID_DIGITS // 2
    prefix = secrets.token_hex(digits)[:digits]
    return (f"{prefix}{number:0{digits}d}" for number in itertools.count())


async def _serve(address: str) -> None:
    decoder, encoder = msgspec.json.Decoder(Load), msgspec.json.Encoder()
    loop = asyncio.get_running_loop()
    async with grpc.aio.insecure_channel(
        address, [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
            result = await carry_out(decoder.decode(line), channel)
            sys.stdout.buffer.write(encoder.encode(result) + b"\n")
            sys.stdout.buffer.flush()


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sys.argv[1]))


if __name__ == "__main__":
    main()
