"""A real gRPC server with a small scheduler's memory behind it: jobs, pools, revisions, a watch log."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue
from google.rpc import error_details_pb2, status_pb2

from placewright.v1 import (
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    planner_service_pb2_grpc,
    pool_pb2,
    queue_pb2,
    queue_service_pb2,
    queue_service_pb2_grpc,
)
from tests.unit.client.fake_planner import FakePlanner

CHANGED = job_service_pb2.WATCH_EVENT_KIND_CHANGED
REMOVED = job_service_pb2.WATCH_EVENT_KIND_REMOVED
INITIAL_END = job_service_pb2.WATCH_EVENT_KIND_INITIAL_END
HEARTBEAT = job_service_pb2.WATCH_EVENT_KIND_HEARTBEAT


def a_status(code: grpc.StatusCode, message: str, *details: Message) -> status_pb2.Status:
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    return status_pb2.Status(code=code.value[0], message=message, details=packed)


def an_info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="placewright", metadata=metadata)


def fail(context: grpc.ServicerContext, status: status_pb2.Status) -> None:
    """End the call with the status and its details, as the service does."""
    context.set_trailing_metadata(
        (
            ("grpc-status-details-bin", status.SerializeToString()),
            ("grpc-retry-pushback-ms", "1"),  # retries at once: nobody waits in tests
        )
    )
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    context.abort(code, status.message)


def text_of(chosen: job_service_pb2.JobFilter) -> str:
    """The filter as part of a cursor: a cursor is good only with the filter that it came from."""
    return chosen.SerializeToString(deterministic=True).hex()


def usages_of(quotas: Iterable[queue_pb2.Quota]) -> list[queue_pb2.QuotaUsage]:
    """Each quota used by half as much again as there is, with a tenth of it left."""
    return [
        queue_pb2.QuotaUsage(
            resource=quota.resource,
            nominal=quota.nominal,
            used=quota.nominal * 3 // 2,
            borrowed=quota.nominal // 2,
            available=quota.nominal // 10,
        )
        for quota in quotas
    ]


def without_replicas(job: job_pb2.Job) -> job_pb2.Job:
    """The job as SubmitJobs answers it."""
    bare = job_pb2.Job()
    bare.CopyFrom(job)
    bare.ClearField("replicas")
    bare.replicas_left_out = True
    return bare


class FakeService(
    FakePlanner,  # first: it answers ExplainJob
    job_service_pb2_grpc.JobServiceServicer,
    fleet_service_pb2_grpc.FleetServiceServicer,
    queue_service_pb2_grpc.QueueServiceServicer,
):
    """The service's promises that a client leans on, and faults on demand.

    Attributes:
        requests: what came, by method.
        faults: statuses to answer with, by method, first come first served.
        replicas_listed_max: of jobs with more replicas these are left out of lists and events.
    """

    def __init__(self) -> None:
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.metadata: dict[str, list[dict[str, str | bytes]]] = defaultdict(list)
        self.faults: dict[str, list[status_pb2.Status]] = defaultdict(list)
        self.jobs: dict[str, job_pb2.Job] = {}
        self.freezes: dict[str, job_pb2.Freeze] = {}
        self.pools: dict[str, pool_pb2.Pool] = {}
        self.queue_specs: dict[str, queue_pb2.QueueSpec] = {}
        self.cohorts: dict[str, queue_pb2.Cohort] = {}
        self.revision = 0
        self.replicas_listed_max = 100
        self.oldest_cursor = 0
        self._log: list[tuple[int, int, job_pb2.Job]] = []
        self._by_request_id: dict[str, str] = {}
        self._changed = threading.Condition()
        self._cuts = 0
        self._watches = 0
        self._stopping = False
        self._server: grpc.Server | None = None
        self.port = 0

    # -- the world's side

    def start(self, credentials: grpc.ServerCredentials | None = None) -> "FakeService":
        self._stopping = False
        server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        job_service_pb2_grpc.add_JobServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated
        fleet_service_pb2_grpc.add_FleetServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated
        queue_service_pb2_grpc.add_QueueServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated
        planner_service_pb2_grpc.add_PlannerServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated
        health = grpc.unary_unary_rpc_method_handler(
            self._health, StringValue.FromString, Int32Value.SerializeToString
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": health}),)
        )
        place = f"127.0.0.1:{self.port}"
        self.port = (
            server.add_insecure_port(place)
            if credentials is None
            else server.add_secure_port(place, credentials)
        )
        server.start()
        self._server = server
        return self

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        assert self._server is not None
        self._server.stop(None).wait()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def move(self, job_id: str, *, phase: str = "", **counts: int) -> None:
        """Give a job another phase and other counts."""
        with self._changed:
            job = self.jobs[job_id]
            if phase:
                job.phase = job_pb2.JobPhase.Value(f"JOB_PHASE_{phase.upper()}")
            job.counts.CopyFrom(job_pb2.ReplicaCounts(**counts))
            self._commit(job)

    def remove(self, job_id: str) -> None:
        with self._changed:
            self._commit(self.jobs.pop(job_id), kind=REMOVED)

    def cut_streams(self) -> None:
        """End every open watch with UNAVAILABLE."""
        with self._changed:
            self._cuts += 1
            self._changed.notify_all()

    def trim(self) -> None:
        """Make every cursor given so far too old, and end every open watch."""
        with self._changed:
            self.revision += 1
            self.oldest_cursor = self.revision
            self._cuts += 1
            self._changed.notify_all()

    def wait_for_requests(self, method: str, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests[method]) >= count, timeout=5)

    def wait_for_no_watch(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._watches == 0, timeout=5)

    # -- the clients' side

    def SubmitJob(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("SubmitJob", request, context)
        with self._changed:
            job = self._accept(request.submission)
            return job_service_pb2.SubmitJobResponse(job=job, revision=self.revision)

    def SubmitJobs(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("SubmitJobs", request, context)
        results = []
        with self._changed:
            for submission in request.submissions:
                if submission.spec.name == "bad":
                    error = a_status(grpc.StatusCode.INVALID_ARGUMENT, "bad name", an_info("INVALID_REQUEST"))
                    results.append(job_service_pb2.SubmitJobsResult(error=error))
                else:
                    results.append(
                        job_service_pb2.SubmitJobsResult(job=without_replicas(self._accept(submission)))
                    )
            return job_service_pb2.SubmitJobsResponse(results=results, revision=self.revision)

    def GetJob(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("GetJob", request, context)
        return job_service_pb2.GetJobResponse(job=self._job(request.job_id, context))

    def ListJobs(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ListJobs", request, context)
        chosen = [job for _, job in sorted(self.jobs.items()) if self._matches(request.filter, job)]
        start, size = int(request.page_token or 0), request.page_size or 100
        token = str(start + size) if start + size < len(chosen) else ""
        return job_service_pb2.ListJobsResponse(
            jobs=[self._listed(job) for job in chosen[start : start + size]],
            next_page_token=token,
            watch_cursor=f"{self.revision}/{text_of(request.filter)}",
            total_size=len(chosen),
        )

    def CancelJob(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("CancelJob", request, context)
        job = self._job(request.job_id, context)
        with self._changed:
            job.phase, job.cancel_reason = job_pb2.JOB_PHASE_CANCELLED, request.reason
            job.cancel_requested_at.GetCurrentTime()
            self._commit(job)
            return job_service_pb2.CancelJobResponse(job=job, revision=self.revision)

    def HoldJob(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("HoldJob", request, context)
        job = self._job(request.job_id, context)
        with self._changed:
            job.hold.reason, job.hold.principal = request.reason, "alice"
            job.hold.held_at.GetCurrentTime()
            self._commit(job)
            return job_service_pb2.HoldJobResponse(job=job, revision=self.revision)

    def ReleaseJob(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ReleaseJob", request, context)
        job = self._job(request.job_id, context)
        with self._changed:
            job.ClearField("hold")
            self._commit(job)
            return job_service_pb2.ReleaseJobResponse(job=job, revision=self.revision)

    def WatchJobs(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802  (the wire's name)
        self._came("WatchJobs", request, context)
        revision, _, filter_of_cursor = request.cursor.partition("/")
        if request.cursor and filter_of_cursor != text_of(request.filter):
            fail(context, a_status(grpc.StatusCode.INVALID_ARGUMENT, "the cursor has another filter"))
        with self._changed:
            cuts = self._cuts
            position = int(revision) if request.cursor else self.revision
            if request.cursor and position < self.oldest_cursor:
                fail(context, a_status(grpc.StatusCode.OUT_OF_RANGE, "trimmed", an_info("CURSOR_TOO_OLD")))
            initial = [] if request.cursor else self._initial(request.filter)
            self._watches += 1
        context.add_callback(self._watch_ended)
        yield from initial
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda seen=position: self._stopping or self._cuts != cuts or self.revision > seen,
                    timeout=0.1,
                )
                if self._stopping or not context.is_active():
                    return
                if self._cuts != cuts:
                    fail(context, a_status(grpc.StatusCode.UNAVAILABLE, "cut"))
                news = [entry for entry in self._log if entry[0] > position]
                position = self.revision
            for changed_at, kind, job in news:
                if self._matches(request.filter, job):
                    yield self._event(kind, job=job, at=(changed_at, request.filter))
            yield self._event(HEARTBEAT, at=(position, request.filter))

    def ListPools(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ListPools", request, context)
        start = int(request.page_token or 0)
        ids = sorted(self.pools)
        token = str(start + 2) if start + 2 < len(ids) else ""
        return fleet_service_pb2.ListPoolsResponse(
            pools=[self.pools[pool_id] for pool_id in ids[start : start + 2]], next_page_token=token
        )

    def GetPool(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("GetPool", request, context)
        return fleet_service_pb2.GetPoolResponse(pool=self.pools[request.pool_id])

    def ApplyPool(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ApplyPool", request, context)
        self.revision += 1
        pool = pool_pb2.Pool(pool_id=request.pool_id, spec=request.spec, revision=self.revision)
        self.pools[request.pool_id] = pool
        return fleet_service_pb2.ApplyPoolResponse(pool=pool, revision=self.revision)

    def FreezePlanning(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("FreezePlanning", request, context)
        freeze = job_pb2.Freeze(scope=request.scope, reason=request.reason, principal="olga")
        self.freezes[text_of(request.scope)] = freeze
        return fleet_service_pb2.FreezePlanningResponse(freeze=freeze, revision=self.revision)

    def UnfreezePlanning(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("UnfreezePlanning", request, context)
        self.freezes.pop(text_of(request.scope), None)
        return fleet_service_pb2.UnfreezePlanningResponse(revision=self.revision)

    def ListFreezes(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ListFreezes", request, context)
        return fleet_service_pb2.ListFreezesResponse(freezes=self.freezes.values())

    def ConfirmPool(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ConfirmPool", request, context)
        self.revision += 1
        pool = self.pools[request.pool_id]
        del pool.unconfirmed_jumps[:]
        return fleet_service_pb2.ConfirmPoolResponse(pool=pool, revision=self.revision)

    def CordonPool(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("CordonPool", request, context)
        pool = self.pools[request.pool_id]
        pool.cordon.reason = request.reason
        return fleet_service_pb2.CordonPoolResponse(pool=pool, revision=self.revision)

    def UncordonPool(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("UncordonPool", request, context)
        pool = self.pools[request.pool_id]
        pool.ClearField("cordon")
        return fleet_service_pb2.UncordonPoolResponse(pool=pool, revision=self.revision)

    def CordonNodes(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("CordonNodes", request, context)
        pool, cordon = self.pools[request.pool_id], pool_pb2.Cordon(reason=request.reason)
        pool.node_cordons.extend(pool_pb2.NodeCordon(node=node, cordon=cordon) for node in request.node_names)
        return fleet_service_pb2.CordonNodesResponse(pool=pool, revision=self.revision)

    def UncordonNodes(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("UncordonNodes", request, context)
        pool = self.pools[request.pool_id]
        kept = [each for each in pool.node_cordons if each.node not in request.node_names]
        del pool.node_cordons[:]
        pool.node_cordons.extend(kept)
        return fleet_service_pb2.UncordonNodesResponse(pool=pool, revision=self.revision)

    def ListQueues(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ListQueues", request, context)
        start = int(request.page_token or 0)
        queues = [self._queue(queue) for queue in ("research", "serving", "team")]
        token = str(start + 2) if start + 2 < len(queues) else ""
        return queue_service_pb2.ListQueuesResponse(queues=queues[start : start + 2], next_page_token=token)

    def _queue(self, name: str) -> queue_service_pb2.Queue:
        """A queue with a run on 64 accelerators."""
        queue = queue_service_pb2.Queue(
            queue=name, unfinished_jobs=3, waiting_jobs=2, live_runs=1, accelerators_used=64
        )
        held = self.freezes.get(text_of(job_pb2.FreezeScope(queue=name)))
        if held is not None:
            queue.hold.CopyFrom(held)
        if name in self.queue_specs:
            queue.spec.CopyFrom(self.queue_specs[name])
            queue.usage.extend(usages_of(queue.spec.quotas))
            queue.etag = f"etag-{name}"
        return queue

    def GetQueue(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("GetQueue", request, context)
        return queue_service_pb2.GetQueueResponse(queue=self._queue(request.queue))

    def ApplyQueue(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ApplyQueue", request, context)
        self.queue_specs[request.queue] = request.spec
        return queue_service_pb2.ApplyQueueResponse(queue=self._queue(request.queue), revision=self.revision)

    def DeleteQueue(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("DeleteQueue", request, context)
        del self.queue_specs[request.queue]
        return queue_service_pb2.DeleteQueueResponse(revision=self.revision)

    def ApplyCohort(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ApplyCohort", request, context)
        cohort = queue_pb2.Cohort(
            cohort=request.cohort, spec=request.spec, usage=usages_of(request.spec.quotas), etag="etag"
        )
        self.cohorts[request.cohort] = cohort
        return queue_service_pb2.ApplyCohortResponse(cohort=cohort, revision=self.revision)

    def ListCohorts(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ListCohorts", request, context)
        return queue_service_pb2.ListCohortsResponse(cohorts=self.cohorts.values())

    def DeleteCohort(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("DeleteCohort", request, context)
        del self.cohorts[request.cohort]
        return queue_service_pb2.DeleteCohortResponse(revision=self.revision)

    def HoldQueue(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("HoldQueue", request, context)
        scope = job_pb2.FreezeScope(queue=request.queue)
        freeze = job_pb2.Freeze(scope=scope, reason=request.reason, principal="olga")
        self.freezes[text_of(scope)] = freeze
        return queue_service_pb2.HoldQueueResponse(hold=freeze, revision=self.revision)

    def ReleaseQueue(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ReleaseQueue", request, context)
        self.freezes.pop(text_of(job_pb2.FreezeScope(queue=request.queue)), None)
        return queue_service_pb2.ReleaseQueueResponse(revision=self.revision)

    def PinReplica(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("PinReplica", request, context)
        replica = self._replica(request.replica_id)
        replica.pin.pool_id, replica.pin.reason = request.pool_id or "somewhere", request.reason
        return fleet_service_pb2.PinReplicaResponse(replica=replica, revision=self.revision)

    def UnpinReplica(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("UnpinReplica", request, context)
        replica = self._replica(request.replica_id)
        replica.ClearField("pin")
        return fleet_service_pb2.UnpinReplicaResponse(replica=replica, revision=self.revision)

    def _replica(self, replica_id: str) -> Any:
        job_id, _, index = replica_id.rpartition("-")
        return self.jobs[job_id].replicas[int(index)]

    def DeletePool(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("DeletePool", request, context)
        pool = self.pools.pop(request.pool_id)
        pool.deleting = True
        return fleet_service_pb2.DeletePoolResponse(pool=pool, revision=self.revision)

    def ForceEndRun(self, request: Any, context: Any) -> Any:  # noqa: N802  (the wire's name)
        self._came("ForceEndRun", request, context)
        run = job_pb2.Run(
            run_id=request.run_id, state=job_pb2.RUN_STATE_ENDED, end_reason=job_pb2.END_REASON_LOST
        )
        return fleet_service_pb2.ForceEndRunResponse(run=run, revision=self.revision)

    # -- the inside

    def _health(self, request: StringValue, context: Any) -> Int32Value:
        self._came("Check", request, context)
        return Int32Value(value=1)

    def _came(self, method: str, request: Any, context: grpc.ServicerContext) -> None:
        with self._changed:
            self.requests[method].append(request)
            self.metadata[method].append(dict(context.invocation_metadata()))
            self._changed.notify_all()
            fault = self.faults[method].pop(0) if self.faults[method] else None
        if fault is not None:
            fail(context, fault)

    def _accept(self, submission: job_service_pb2.JobSubmission) -> job_pb2.Job:
        known = self._by_request_id.get(submission.request_id)
        if known is not None:
            return self.jobs[known]
        job = job_pb2.Job(
            job_id=f"main-{len(self._by_request_id):04}",
            effective_spec=submission.spec,
            phase=job_pb2.JOB_PHASE_PENDING,
            counts=job_pb2.ReplicaCounts(waiting=1),
            desired_replicas=1,
        )
        job.submitted_at.GetCurrentTime()
        job.effective_spec.queue = job.effective_spec.queue or "default"
        deferral = job.replicas.add(state=job_pb2.REPLICA_STATE_WAITING).deferral
        deferral.reason = job_pb2.DEFERRAL_REASON_NOT_PLANNED_YET
        self._by_request_id[submission.request_id] = job.job_id
        self.jobs[job.job_id] = job
        self._commit(job)
        return job

    def _commit(self, job: job_pb2.Job, *, kind: int = CHANGED) -> None:
        self.revision += 1
        job.revision = self.revision
        entry = job_pb2.Job()
        entry.CopyFrom(job)
        self._log.append((self.revision, kind, entry))
        self._changed.notify_all()

    def _job(self, job_id: str, context: grpc.ServicerContext) -> job_pb2.Job:
        if job_id not in self.jobs:
            message = f"job {job_id!r} does not exist"
            fail(context, a_status(grpc.StatusCode.NOT_FOUND, message, an_info("NOT_FOUND", resource="job")))
        return self.jobs[job_id]

    def _matches(self, chosen: job_service_pb2.JobFilter, job: job_pb2.Job) -> bool:
        return (
            (not chosen.queues or job.effective_spec.queue in chosen.queues)
            and (not chosen.phases or job.phase in chosen.phases)
            and (not chosen.name or job.effective_spec.name == chosen.name)
            and (not chosen.job_ids or job.job_id in chosen.job_ids)
        )

    def _listed(self, job: job_pb2.Job) -> job_pb2.Job:
        return without_replicas(job) if len(job.replicas) > self.replicas_listed_max else job

    def _watch_ended(self) -> None:
        with self._changed:
            self._watches -= 1
            self._changed.notify_all()

    def _initial(self, chosen: job_service_pb2.JobFilter) -> list[job_service_pb2.WatchJobsResponse]:
        now = [
            self._event(CHANGED, job=job)
            for _, job in sorted(self.jobs.items())
            if self._matches(chosen, job)
        ]
        return [*now, self._event(INITIAL_END, at=(self.revision, chosen))]

    def _event(
        self,
        kind: int,
        *,
        job: job_pb2.Job | None = None,
        at: tuple[int, job_service_pb2.JobFilter] | None = None,
    ) -> job_service_pb2.WatchJobsResponse:
        """An event, with a cursor from INITIAL_END on."""
        state = job_pb2.Job()
        if job is not None and kind == REMOVED:
            state.job_id = job.job_id
        elif job is not None:
            state.CopyFrom(self._listed(job))
        response = job_service_pb2.WatchJobsResponse(kind=kind, job=state)
        if at is not None:
            revision, chosen = at
            response.cursor, response.revision = f"{revision}/{text_of(chosen)}", revision
        return response
