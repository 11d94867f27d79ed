"""The synchronous client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TypeVar

import grpc

from placewright import channel
from placewright.effects import Call, Effect, Execution, OpenStream, Operation, Receive, Source
from placewright.errors import ErrorFacts, PlacewrightError
from placewright.filters import Words, job_filter
from placewright.job import Duration, Job
from placewright.planner_calls import PlannerCalls
from placewright.planner_operations import PlannerOperations
from placewright.pools import PoolSpec, PoolView
from placewright.reasons import Freeze
from placewright.settings import OUTAGE_S_MAX_DEFAULT, TIMEOUT_S_DEFAULT, Settings, TlsChoice, resolve
from placewright.status import error_of_call
from placewright.targets import target_of
from placewright.timing import seconds_of
from placewright.views import JobEvent, JobView, Run
from placewright.watching import Follower, OnChange, Watcher, wait
from placewright.words import HealthStatus, WaitFor

T = TypeVar("T")


class Client(PlannerCalls):
    """The scheduler, for threads and scripts.

        with Client() as client:
            job = client.submit(Job(name="pretrain", accelerators="h100:64", command=["train"])).wait()

    Safe to use from several threads. Everything it raises is a `PlacewrightError`.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        tls: TlsChoice = None,
        timeout_s: float = TIMEOUT_S_DEFAULT,
        outage_s_max: float = OUTAGE_S_MAX_DEFAULT,
    ) -> None:
        """Nothing is sent yet. What is None comes from PLACEWRIGHT_* variables, then from defaults.

        Args:
            address: host:port, or host:port,host:port... of several replicas, of which any that answers is
                used; PLACEWRIGHT_ADDRESS; 127.0.0.1:7461.
            token: bearer token; PLACEWRIGHT_TOKEN.
            tls: True (system authorities), the path of a CA file, a `Tls`, or False; PLACEWRIGHT_CA_FILE.
            timeout_s: deadline of each call.
            outage_s_max: how long watches and waits keep trying when nobody answers.
        """
        settings = resolve(address, token=token, tls=tls, timeout_s=timeout_s, outage_s_max=outage_s_max)
        self._operations = PlannerOperations(settings)
        self._driver = SyncDriver(settings)

    def submit(self, job: Job, *, request_id: str | None = None) -> JobHandle:
        """Hand a job in; it is durable when this returns.

        Safe to repeat with the same `request_id`: the first answer is given again. When none is given,
        one is made.
        """
        return JobHandle(self, self._run(self._operations.submit(job, request_id)))

    def submit_many(
        self, jobs: Sequence[Job], *, request_ids: Sequence[str] | None = None
    ) -> list[JobHandle | PlacewrightError]:
        """A handle or an error for each job, in order: one bad job does not fail the others.

        The jobs of the handles come without their replicas; `refresh` and `wait` bring them.
        """
        results = self._run(self._operations.submit_many(jobs, request_ids))
        return [JobHandle(self, result) if isinstance(result, JobView) else result for result in results]

    def get_job(self, job_id: str) -> JobView:
        """The job with its replicas."""
        return self._run(self._operations.get_job(job_id))

    def handle(self, job_id: str) -> JobHandle:
        """A handle of a job that was submitted before."""
        return JobHandle(self, self.get_job(job_id))

    def list_jobs(
        self,
        *,
        queue: Words = (),
        phase: Words = (),
        name: str = "",
        job_ids: Sequence[str] = (),
        page_size: int = 0,
    ) -> Iterator[JobView]:
        """Jobs by id, oldest first, fetched page by page; what is empty chooses all.

        Of jobs with more than 100 replicas these are left out; `get_job` gives them.
        """
        chosen = job_filter(queue=queue, phase=phase, name=name, job_ids=job_ids)
        return self._iterate(self._operations.list_jobs(chosen, page_size))

    def watch_jobs(
        self,
        *,
        queue: Words = (),
        phase: Words = (),
        name: str = "",
        job_ids: Sequence[str] = (),
        cursor: str = "",
    ) -> Iterator[JobEvent]:
        """Events of jobs: first every job that matches, then INITIAL_END, then changes, without a gap.

        Reconnects by itself. After RESTARTED everything that matches is given anew.
        With the `cursor` of an earlier event of a watch with the same filter it goes on from there, without
        INITIAL_END; it may then say LEFT or REMOVED of jobs that it never told of.
        A job's states may be skipped, its newest never is.
        """
        chosen = job_filter(queue=queue, phase=phase, name=name, job_ids=job_ids)
        return self._iterate(Watcher(self._operations, chosen, cursor=cursor))

    def cancel_job(
        self, job_id: str, *, reason: str = "", etag: str = "", request_id: str | None = None
    ) -> JobView:
        """Ask that a job and its runs end; of a finished job this changes nothing."""
        return self._run(self._operations.cancel_job(job_id, reason=reason, etag=etag, request_id=request_id))

    def hold_job(self, job_id: str, reason: str, *, request_id: str | None = None) -> JobView:
        """No new placements for a job until it is released; what runs goes on."""
        return self._run(self._operations.hold_job(job_id, reason=reason, request_id=request_id))

    def release_job(self, job_id: str, *, request_id: str | None = None) -> JobView:
        """Allow placements of a held job again."""
        return self._run(self._operations.release_job(job_id, request_id=request_id))

    def pools(self) -> list[PoolView]:
        """Every pool, by id."""
        return list(self._iterate(self._operations.list_pools()))

    def get_pool(self, pool_id: str) -> PoolView:
        return self._run(self._operations.get_pool(pool_id))

    def apply_pool(
        self,
        pool_id: str,
        spec: PoolSpec,
        *,
        etag: str = "",
        confirm_jumps: bool = False,
        request_id: str | None = None,
    ) -> PoolView:
        """Create a pool or change its spec; with an `etag`, only if it still has that.

        A price that jumps (more than three times, or from or to 0) waits for `confirm_pool`, unless
        `confirm_jumps` says that it is meant; see the answer's `unconfirmed_jumps`.
        """
        return self._run(
            self._operations.apply_pool(
                pool_id, spec, etag=etag, confirm_jumps=confirm_jumps, request_id=request_id
            )
        )

    def confirm_pool(
        self,
        pool_id: str,
        *,
        price_usd_micros: int | None = None,
        accelerators: int | None = None,
        etag: str = "",
        request_id: str | None = None,
    ) -> PoolView:
        """Say that a price or a capacity that jumps is meant, by the value that waits (0 is one)."""
        return self._run(
            self._operations.confirm_pool(
                pool_id,
                price_usd_micros=price_usd_micros,
                accelerators=accelerators,
                etag=etag,
                request_id=request_id,
            )
        )

    def cordon_pool(self, pool_id: str, reason: str, *, request_id: str | None = None) -> PoolView:
        """Stop new placements on a pool; what runs there goes on."""
        return self._run(self._operations.cordon_pool(pool_id, reason=reason, request_id=request_id))

    def uncordon_pool(self, pool_id: str, *, request_id: str | None = None) -> PoolView:
        """Allow placements again."""
        return self._run(self._operations.uncordon_pool(pool_id, request_id=request_id))

    def delete_pool(self, pool_id: str, *, etag: str = "", request_id: str | None = None) -> PoolView:
        """Stop new placements and remove the pool when its last run has ended."""
        return self._run(self._operations.delete_pool(pool_id, etag=etag, request_id=request_id))

    def force_end_run(self, run_id: str, reason: str, *, request_id: str | None = None) -> Run:
        """Declare an unreachable run ended, on your word that nothing of it runs."""
        return self._run(self._operations.force_end_run(run_id, reason=reason, request_id=request_id))

    def freeze_planning(
        self, reason: str, *, pool: str = "", queue: str = "", request_id: str | None = None
    ) -> Freeze | None:
        """Place nothing new in a pool, a queue or, with neither, the cell; what runs goes on."""
        return self._run(
            self._operations.freeze_planning(reason, pool=pool, queue=queue, request_id=request_id)
        )

    def unfreeze_planning(self, *, pool: str = "", queue: str = "", request_id: str | None = None) -> None:
        """Take the freeze of that scope back."""
        self._run(self._operations.unfreeze_planning(pool=pool, queue=queue, request_id=request_id))

    def freezes(self) -> list[Freeze]:
        """Every freeze."""
        return self._run(self._operations.freezes())

    def health(self) -> HealthStatus:
        """Whether the service takes calls."""
        return self._run(self._operations.health())

    def close(self) -> None:
        """Give the connection back; watches and waits of other threads end with an error."""
        self._driver.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, operation: Operation[T]) -> T:
        return self._driver.run(operation)

    def _iterate(self, source: Source[T]) -> Iterator[T]:
        try:
            while (item := self._run(source.next())) is not None:
                yield item
        finally:
            source.close()

    def _wait(
        self, job_id: str, *, until: str | WaitFor, timeout_s: float | None, on_change: OnChange
    ) -> JobView:
        operation = wait(self._operations, job_id, until=until, timeout_s=timeout_s, on_change=on_change)
        return self._run(operation)

    def _follow(self, job_id: str) -> Iterator[JobView]:
        return self._iterate(Follower(self._operations, job_id))


class JobHandle:
    """A submitted job.

    Attributes:
        job: the job as it was last seen.
    """

    def __init__(self, client: Client, job: JobView) -> None:
        self._client = client
        self.job = job

    @property
    def job_id(self) -> str:
        return self.job.job_id

    def wait(
        self,
        until: str | WaitFor = WaitFor.FINISHED,
        *,
        timeout: float | Duration | None = None,
        on_change: OnChange = None,
    ) -> JobView:
        """The job once it is "placed", "running" or "finished", or has finished before.

        Outages of the service are waited out. Whether it succeeded is `job.phase`. `on_change` is called
        with the job as it is now and after each change.

        Raises:
            DeadlineExceeded: not within `timeout` (seconds, or a string such as "10m").
        """
        self.job = self._client._wait(
            self.job_id, until=until, timeout_s=seconds_of(timeout), on_change=on_change
        )
        return self.job

    def watch(self) -> Iterator[JobView]:
        """The job as it is now, then after each change, until it has finished."""
        for job in self._client._follow(self.job_id):
            self.job = job
            yield job

    def refresh(self) -> JobView:
        """The job as it is now."""
        self.job = self._client.get_job(self.job_id)
        return self.job

    def cancel(self, reason: str = "") -> JobView:
        """Ask that the job and its runs end."""
        self.job = self._client.cancel_job(self.job_id, reason=reason)
        return self.job

    def __repr__(self) -> str:
        return f"<JobHandle {self.job_id} {self.job.name} {self.job.phase}>"


class SyncDriver:
    """Carries effects out over a gRPC channel, blocking the calling thread."""

    def __init__(self, settings: Settings) -> None:
        credentials = channel.credentials(settings)
        self._metadata = channel.metadata(settings)
        self._closed = threading.Event()
        target, options = target_of(settings.address)
        self._channel = (
            grpc.insecure_channel(target, [*channel.OPTIONS, *options])
            if credentials is None
            else grpc.secure_channel(target, credentials, [*channel.OPTIONS, *options])
        )

    def run(self, operation: Operation[T]) -> T:
        """The operation's result."""
        execution = Execution(operation)
        try:
            while execution.effect is not None:
                self._step(execution, execution.effect)
            return execution.result
        finally:
            execution.close()

    def close(self) -> None:
        self._closed.set()
        self._channel.close()

    def _step(self, execution: Execution[T], effect: Effect) -> None:
        try:
            outcome = self._carry_out(effect)
        except PlacewrightError as error:
            execution.throw(error)
        else:
            execution.send(outcome)

    def _carry_out(self, effect: Effect) -> object:
        if self._closed.is_set():
            raise closed_error()
        try:
            if isinstance(effect, Call):
                return self._unary(effect)(effect.request, timeout=effect.timeout_s, metadata=self._metadata)
            if isinstance(effect, OpenStream):
                return self._streamed(effect)(
                    effect.request, timeout=effect.timeout_s, metadata=self._metadata
                )
            if isinstance(effect, Receive):
                return next(effect.stream, None)  # type: ignore[call-overload]  # our own streams are iterators
            return self._closed.wait(effect.seconds)
        except grpc.RpcError as error:
            raise self._error_of(error) from None

    def _unary(self, effect: Call) -> Callable[..., object]:
        return self._channel.unary_unary(
            effect.method, type(effect.request).SerializeToString, effect.answer.FromString
        )

    def _streamed(self, effect: OpenStream) -> Callable[..., object]:
        return self._channel.unary_stream(
            effect.method, type(effect.request).SerializeToString, effect.answer.FromString
        )

    def _error_of(self, error: grpc.RpcError) -> PlacewrightError:
        if self._closed.is_set():
            return closed_error()
        assert isinstance(error, grpc.Call), error
        return error_of_call(error.code(), error.details(), error.trailing_metadata())


def closed_error() -> PlacewrightError:
    """The error for using a client after `close`."""
    return PlacewrightError("the client was closed", ErrorFacts(reason="CLIENT_CLOSED"))
