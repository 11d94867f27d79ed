"""The asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import grpc
import grpc.aio

from placewright import channel
from placewright.client import closed_error
from placewright.effects import Call, Effect, Execution, OpenStream, Operation, Receive, Source
from placewright.errors import PlacewrightError
from placewright.filters import Words, job_filter
from placewright.job import Duration, Job
from placewright.planner_calls import AsyncPlannerCalls
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


class AsyncClient(AsyncPlannerCalls):
    """The scheduler, for asyncio; `Client` says what each method does.

        async with AsyncClient() as client:
            handle = await client.submit(Job(name="pretrain", accelerators="h100:64", command=["train"]))
            job = await handle.wait()

    Belongs to the event loop in which it is first used.
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
        settings = resolve(address, token=token, tls=tls, timeout_s=timeout_s, outage_s_max=outage_s_max)
        self._operations = PlannerOperations(settings)
        self._driver = AsyncDriver(settings)

    async def submit(self, job: Job, *, request_id: str | None = None) -> AsyncJobHandle:
        return AsyncJobHandle(self, await self._run(self._operations.submit(job, request_id)))

    async def submit_many(
        self, jobs: Sequence[Job], *, request_ids: Sequence[str] | None = None
    ) -> list[AsyncJobHandle | PlacewrightError]:
        results = await self._run(self._operations.submit_many(jobs, request_ids))
        return [AsyncJobHandle(self, result) if isinstance(result, JobView) else result for result in results]

    async def get_job(self, job_id: str) -> JobView:
        return await self._run(self._operations.get_job(job_id))

    async def handle(self, job_id: str) -> AsyncJobHandle:
        return AsyncJobHandle(self, await self.get_job(job_id))

    def list_jobs(
        self,
        *,
        queue: Words = (),
        phase: Words = (),
        name: str = "",
        job_ids: Sequence[str] = (),
        page_size: int = 0,
    ) -> AsyncIterator[JobView]:
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
    ) -> AsyncIterator[JobEvent]:
        chosen = job_filter(queue=queue, phase=phase, name=name, job_ids=job_ids)
        return self._iterate(Watcher(self._operations, chosen, cursor=cursor))

    async def cancel_job(
        self, job_id: str, *, reason: str = "", etag: str = "", request_id: str | None = None
    ) -> JobView:
        return await self._run(
            self._operations.cancel_job(job_id, reason=reason, etag=etag, request_id=request_id)
        )

    async def hold_job(self, job_id: str, reason: str, *, request_id: str | None = None) -> JobView:
        return await self._run(self._operations.hold_job(job_id, reason=reason, request_id=request_id))

    async def release_job(self, job_id: str, *, request_id: str | None = None) -> JobView:
        return await self._run(self._operations.release_job(job_id, request_id=request_id))

    async def pools(self) -> list[PoolView]:
        return [pool async for pool in self._iterate(self._operations.list_pools())]

    async def get_pool(self, pool_id: str) -> PoolView:
        return await self._run(self._operations.get_pool(pool_id))

    async def apply_pool(
        self,
        pool_id: str,
        spec: PoolSpec,
        *,
        etag: str = "",
        confirm_jumps: bool = False,
        request_id: str | None = None,
    ) -> PoolView:
        return await self._run(
            self._operations.apply_pool(
                pool_id, spec, etag=etag, confirm_jumps=confirm_jumps, request_id=request_id
            )
        )

    async def confirm_pool(
        self,
        pool_id: str,
        *,
        price_usd_micros: int | None = None,
        accelerators: int | None = None,
        etag: str = "",
        request_id: str | None = None,
    ) -> PoolView:
        return await self._run(
            self._operations.confirm_pool(
                pool_id,
                price_usd_micros=price_usd_micros,
                accelerators=accelerators,
                etag=etag,
                request_id=request_id,
            )
        )

    async def cordon_pool(self, pool_id: str, reason: str, *, request_id: str | None = None) -> PoolView:
        return await self._run(self._operations.cordon_pool(pool_id, reason=reason, request_id=request_id))

    async def uncordon_pool(self, pool_id: str, *, request_id: str | None = None) -> PoolView:
        return await self._run(self._operations.uncordon_pool(pool_id, request_id=request_id))

    async def delete_pool(self, pool_id: str, *, etag: str = "", request_id: str | None = None) -> PoolView:
        return await self._run(self._operations.delete_pool(pool_id, etag=etag, request_id=request_id))

    async def force_end_run(self, run_id: str, reason: str, *, request_id: str | None = None) -> Run:
        return await self._run(self._operations.force_end_run(run_id, reason=reason, request_id=request_id))

    async def freeze_planning(
        self, reason: str, *, pool: str = "", queue: str = "", request_id: str | None = None
    ) -> Freeze | None:
        return await self._run(
            self._operations.freeze_planning(reason, pool=pool, queue=queue, request_id=request_id)
        )

    async def unfreeze_planning(
        self, *, pool: str = "", queue: str = "", request_id: str | None = None
    ) -> None:
        await self._run(self._operations.unfreeze_planning(pool=pool, queue=queue, request_id=request_id))

    async def freezes(self) -> list[Freeze]:
        return await self._run(self._operations.freezes())

    async def health(self) -> HealthStatus:
        return await self._run(self._operations.health())

    async def close(self) -> None:
        await self._driver.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, operation: Operation[T]) -> T:
        return await self._driver.run(operation)

    async def _iterate(self, source: Source[T]) -> AsyncIterator[T]:
        try:
            while (item := await self._run(source.next())) is not None:
                yield item
        finally:
            source.close()

    async def _wait(
        self, job_id: str, *, until: str | WaitFor, timeout_s: float | None, on_change: OnChange
    ) -> JobView:
        operation = wait(self._operations, job_id, until=until, timeout_s=timeout_s, on_change=on_change)
        return await self._run(operation)

    def _follow(self, job_id: str) -> AsyncIterator[JobView]:
        return self._iterate(Follower(self._operations, job_id))


class AsyncJobHandle:
    """A submitted job; `JobHandle` says what each method does.

    Attributes:
        job: the job as it was last seen.
    """

    def __init__(self, client: AsyncClient, job: JobView) -> None:
        self._client = client
        self.job = job

    @property
    def job_id(self) -> str:
        return self.job.job_id

    async def wait(
        self,
        until: str | WaitFor = WaitFor.FINISHED,
        *,
        timeout: float | Duration | None = None,
        on_change: OnChange = None,
    ) -> JobView:
        self.job = await self._client._wait(
            self.job_id, until=until, timeout_s=seconds_of(timeout), on_change=on_change
        )
        return self.job

    async def watch(self) -> AsyncIterator[JobView]:
        async for job in self._client._follow(self.job_id):
            self.job = job
            yield job

    async def refresh(self) -> JobView:
        self.job = await self._client.get_job(self.job_id)
        return self.job

    async def cancel(self, reason: str = "") -> JobView:
        self.job = await self._client.cancel_job(self.job_id, reason=reason)
        return self.job

    def __repr__(self) -> str:
        return f"<AsyncJobHandle {self.job_id} {self.job.name} {self.job.phase}>"


class AsyncDriver:
    """Carries effects out over a grpc.aio channel."""

    def __init__(self, settings: Settings) -> None:
        self._target = target_of(settings.address)
        self._credentials = channel.credentials(settings)
        self._metadata = channel.metadata(settings)
        self._is_closed = False
        self._opened: grpc.aio.Channel | None = None

    async def run(self, operation: Operation[T]) -> T:
        """The operation's result."""
        execution = Execution(operation)
        try:
            while execution.effect is not None:
                await self._step(execution, execution.effect)
            return execution.result
        finally:
            execution.close()

    async def close(self) -> None:
        self._is_closed = True
        if self._opened is not None:
            await self._opened.close()

    async def _step(self, execution: Execution[T], effect: Effect) -> None:
        try:
            outcome = await self._carry_out(effect)
        except PlacewrightError as error:
            execution.throw(error)
        else:
            execution.send(outcome)

    async def _carry_out(self, effect: Effect) -> object:
        if self._is_closed:
            raise closed_error()
        try:
            if isinstance(effect, Call):
                answer = self._unary(effect)(
                    effect.request, timeout=effect.timeout_s, metadata=self._metadata
                )
                return await answer
            if isinstance(effect, OpenStream):
                return self._streamed(effect)(
                    effect.request, timeout=effect.timeout_s, metadata=self._metadata
                )
            if isinstance(effect, Receive):
                message = await effect.stream.read()  # type: ignore[attr-defined]  # our own streams are aio calls
                return None if message is grpc.aio.EOF else message
            await asyncio.sleep(effect.seconds)
            return None
        except grpc.aio.AioRpcError as error:
            raise self._error_of(error) from None
        except asyncio.CancelledError:
            if self._is_closed and not _is_being_cancelled():
                raise closed_error() from None  # gRPC says it so when the channel is closed under a call
            raise

    def _channel(self) -> grpc.aio.Channel:
        """The channel, opened at first use: it binds itself to the running event loop."""
        if self._opened is None:
            target, own = self._target
            options = [*channel.OPTIONS, *own]
            self._opened = (
                grpc.aio.insecure_channel(target, options)
                if self._credentials is None
                else grpc.aio.secure_channel(target, self._credentials, options)
            )
        return self._opened

    def _unary(self, effect: Call) -> Callable[..., Any]:
        return self._channel().unary_unary(
            effect.method, type(effect.request).SerializeToString, effect.answer.FromString
        )

    def _streamed(self, effect: OpenStream) -> Callable[..., object]:
        return self._channel().unary_stream(
            effect.method, type(effect.request).SerializeToString, effect.answer.FromString
        )

    def _error_of(self, error: grpc.aio.AioRpcError) -> PlacewrightError:
        if self._is_closed:
            return closed_error()
        return error_of_call(error.code(), error.details(), error.trailing_metadata())


def _is_being_cancelled() -> bool:
    """Whether somebody cancelled the current task; assumed where Python 3.10 cannot tell."""
    task = asyncio.current_task()
    cancelling = getattr(task, "cancelling", None)
    return cancelling is None or cancelling() > 0
