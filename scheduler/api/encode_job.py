"""Jobs, replicas and runs to protobuf."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from placewright.v1 import job_pb2
from scheduler.api import enums
from scheduler.api.positions import encode_etag
from scheduler.model.brakes import Freeze, FreezeScope, Hold, Pin
from scheduler.model.deferral import Deferral, DeferralReason, QuotaShortage
from scheduler.model.ids import History
from scheduler.model.job import Alternative, Constraints, JobSpec, Location
from scheduler.model.replica import Replica, ReplicaState
from scheduler.model.run import Placement, Run
from scheduler.model.view import JobView, ReplicaView

NOT_PLANNED_YET = Deferral(reason=DeferralReason.NOT_PLANNED_YET)


def timestamp(time_ms: int | None) -> Timestamp | None:
    if time_ms is None:
        return None
    return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)


def duration(duration_ms: int | None) -> Duration | None:
    if duration_ms is None:
        return None
    return Duration(seconds=duration_ms // 1000, nanos=duration_ms % 1000 * 1_000_000)


def encode_job(
    view: JobView,
    history: History,
    *,
    effective_spec: job_pb2.JobSpec | None = None,
    shows_replicas: bool = True,
) -> job_pb2.Job:
    """The job; its etag is of the history.

    `effective_spec`: the job's spec as a message but for its name, where that is at hand.
    """
    job = view.job
    message = job_pb2.Job(
        job_id=job.id,
        effective_spec=effective_spec or encode_spec(job.spec),
        phase=enums.PHASES.to_wire(view.phase),  # type: ignore[arg-type]  # an int is an enum value
        counts=job_pb2.ReplicaCounts(
            waiting=view.counts[ReplicaState.WAITING],
            placed=view.counts[ReplicaState.PLACED],
            running=view.counts[ReplicaState.RUNNING],
            done=view.counts[ReplicaState.DONE],
        ),
        desired_replicas=job.spec.replicas,
        spec_generation=job.spec_generation,
        submitter=job.submitter,
        submitted_at=timestamp(job.submitted_at_ms),
        cancel_requested_at=timestamp(job.cancel_requested_at_ms),
        cancel_reason=job.cancel_reason,
        finished_at=timestamp(job.finished_at_ms),
        etag=encode_etag(history, view.version),
        revision=view.revision,
        replicas=[encode_replica(replica) for replica in view.replicas] if shows_replicas else (),
        replicas_left_out=view.replicas_left_out or (bool(view.replicas) and not shows_replicas),
        hold=_encode_hold(job.hold),
    )
    message.effective_spec.name = job.spec.name
    return message


def _encode_hold(hold: Hold | None) -> job_pb2.Hold | None:
    if hold is None:
        return None
    return job_pb2.Hold(reason=hold.reason, principal=hold.principal, held_at=timestamp(hold.held_at_ms))


def encode_spec(spec: JobSpec) -> job_pb2.JobSpec:
    training = inference = None
    if spec.training is not None:
        training = job_pb2.Training(estimated_duration=duration(spec.training.estimated_duration_ms))
    if spec.inference is not None:
        inference = job_pb2.Inference(max_replicas=spec.inference.replicas)
    return job_pb2.JobSpec(
        name=spec.name,
        queue=spec.queue,
        priority_class=spec.priority_class,
        launched_by=enums.LAUNCHED_BY.to_wire(spec.launched_by),  # type: ignore[arg-type]  # as above
        training=training,
        inference=inference,
        alternatives=[_encode_alternative(alternative) for alternative in spec.alternatives],
        constraints=_encode_constraints(spec.constraints),
        max_duration=duration(spec.max_duration_ms),
        grace_period=duration(spec.grace_period_ms),
        retry=job_pb2.Retry(user_errors=spec.user_error_retries),
        preemptible=spec.preemptible,
        min_runtime=duration(spec.min_runtime_ms),
    )


def _encode_alternative(alternative: Alternative) -> job_pb2.Alternative:
    message = job_pb2.Alternative(
        accelerator=alternative.accelerator, speed_permille=alternative.speed_permille
    )
    if alternative.slice_topology is not None:
        message.slice.topology = alternative.slice_topology
        return message
    for group in alternative.task_groups:
        message.gang.task_groups.add(
            role=group.role, tasks=group.tasks, devices_per_task=group.devices_per_task
        )
    return message


def _encode_constraints(constraints: Constraints) -> job_pb2.Constraints:
    return job_pb2.Constraints(
        allowed_locations=[_encode_location(location) for location in constraints.allowed_locations],
        denied_locations=[_encode_location(location) for location in constraints.denied_locations],
        allowed_pools=constraints.allowed_pools,
        denied_pools=constraints.denied_pools,
        markets=[enums.MARKETS.to_wire(market) for market in constraints.markets],  # type: ignore[misc]  # as above
        residency=constraints.residency,
    )


def _encode_location(location: Location) -> job_pb2.Location:
    return job_pb2.Location(provider=location.provider, region=location.region, zone=location.zone)


def encode_replica(view: ReplicaView) -> job_pb2.Replica:
    replica = view.replica
    return job_pb2.Replica(
        replica_id=replica.id,
        index=replica.index,
        state=enums.REPLICA_STATES.to_wire(replica.state),  # type: ignore[arg-type]  # as above
        deferral=_encode_deferral_of(replica),
        newest_run=None if view.run is None else encode_run(view.run),
        run_count=replica.run_number,
        pin=_encode_pin(replica.pin),
    )


def _encode_pin(pin: Pin | None) -> job_pb2.Pin | None:
    if pin is None:
        return None
    return job_pb2.Pin(
        pool_id=pin.pool_id, reason=pin.reason, principal=pin.principal, pinned_at=timestamp(pin.pinned_at_ms)
    )


def _encode_deferral_of(replica: Replica) -> job_pb2.Deferral | None:
    if replica.state is not ReplicaState.WAITING:
        return None
    return encode_deferral(replica.deferral or NOT_PLANNED_YET)


def encode_deferral(deferral: Deferral) -> job_pb2.Deferral:
    message = job_pb2.Deferral(
        reason=enums.DEFERRAL_REASONS.to_wire(deferral.reason),  # type: ignore[arg-type]  # an int is an enum value
        not_before=timestamp(deferral.not_before_ms),
        freeze=None if deferral.freeze is None else encode_freeze(deferral.freeze),
        pool_id=deferral.pool_id or "",
        quota=None if deferral.quota is None else _encode_shortage(deferral.quota),
    )
    if deferral.verdicts:
        message.MergeFrom(_encode_answers_of_pools(deferral))
    return message


def _encode_shortage(shortage: QuotaShortage) -> job_pb2.QuotaShortage:
    message = job_pb2.QuotaShortage(
        resource=shortage.resource,
        needed=shortage.needed,
        available=shortage.available,
        limit=shortage.limit,
    )
    if shortage.queue:
        message.queue = shortage.queue
    else:
        message.cohort = shortage.cohort
    return message


def _encode_answers_of_pools(deferral: Deferral) -> job_pb2.Deferral:
    verdicts = [
        job_pb2.VerdictCount(
            verdict=enums.POOL_VERDICTS.to_wire(verdict),  # type: ignore[arg-type]  # as above
            pools=pools,
        )
        for verdict, pools in deferral.verdicts
    ]
    return job_pb2.Deferral(
        verdicts=verdicts,
        accelerators_needed=deferral.accelerators_needed,
        accelerators_free_max=deferral.accelerators_free_max,
        cheapest_cost_usd_micros_per_useful_hour=deferral.cheapest_cost_usd_micros_per_useful_hour,
        worth_usd_micros_per_useful_hour=deferral.worth_usd_micros_per_useful_hour,
        planned_revision=deferral.planned_revision,
    )


def encode_run(run: Run) -> job_pb2.Run:
    return job_pb2.Run(
        run_id=run.id,
        run_number=run.run_number,
        state=enums.RUN_STATES.to_wire(run.state),  # type: ignore[arg-type]  # as above
        end_reason=enums.END_REASONS.to_wire(run.end_reason),  # type: ignore[arg-type]  # as above
        stop_reason=enums.END_REASONS.to_wire(run.stop_reason),  # type: ignore[arg-type]  # as above
        placement=encode_placement(run.placement),
        placed_at=timestamp(run.placed_at_ms),
        running_at=timestamp(run.running_at_ms),
        ended_at=timestamp(run.ended_at_ms),
        exit_code=run.exit_code,
        message=run.message,
        value=encode_value(run.placement),
        after_run_ids=run.after_runs,
    )


def encode_value(placement: Placement) -> job_pb2.PlacementValue:
    runner_up = None
    if placement.runner_up_pool_id is not None:
        runner_up = job_pb2.RunnerUp(
            pool_id=placement.runner_up_pool_id,
            term_usd_micros_per_hour=placement.runner_up_term_usd_micros_per_hour,
        )
    return job_pb2.PlacementValue(
        term_usd_micros_per_hour=placement.term_usd_micros_per_hour, runner_up=runner_up
    )


def encode_placement(placement: Placement) -> job_pb2.Placement:
    group = job_pb2.TaskGroupPlacement(
        role=placement.role,
        tasks=placement.tasks,
        devices_per_task=placement.devices_per_task,
        nodes=[job_pb2.NodeShare(node=str(share.node), tasks=share.tasks) for share in placement.nodes],
    )
    assignment = job_pb2.PoolAssignment(
        pool_id=placement.pool_id,
        accelerator=placement.accelerator,
        accelerators=placement.accelerators,
        slice_topology=placement.slice_topology or "",
        market=enums.MARKETS.to_wire(placement.market),  # type: ignore[arg-type]  # as above
        charged_usd_micros_per_hour=placement.charged_usd_micros_per_hour,
        task_groups=[group],
    )
    return job_pb2.Placement(assignments=[assignment], alternative_index=placement.alternative_index)


def encode_freeze(freeze: Freeze) -> job_pb2.Freeze:
    scope = job_pb2.FreezeScope()
    match freeze.scope:
        case FreezeScope.CELL:
            scope.cell = True
        case FreezeScope.POOL:
            scope.pool_id = freeze.target
        case FreezeScope.QUEUE:
            scope.queue = freeze.target
    return job_pb2.Freeze(
        scope=scope,
        reason=freeze.reason,
        principal=freeze.principal,
        frozen_at=timestamp(freeze.frozen_at_ms),
    )
