"""Wire messages → views. Unknown enum values become UNKNOWN: a newer service is no error."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Literal, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp

from placewright import reasons, views
from placewright.alternative import Alternative
from placewright.strings import Location, Size
from placewright.v1 import job_pb2, job_service_pb2
from placewright.words import (
    ChangeKind,
    DeferralReason,
    EndReason,
    JobKind,
    JobPhase,
    Market,
    PoolJumpKind,
    PoolState,
    PoolVerdict,
    ReplicaState,
    RunState,
    WatchEventKind,
    Word,
)

W = TypeVar("W", bound=Word)
PREFIXES = {
    Market: "MARKET_",
    JobPhase: "JOB_PHASE_",
    ReplicaState: "REPLICA_STATE_",
    RunState: "RUN_STATE_",
    EndReason: "END_REASON_",
    DeferralReason: "DEFERRAL_REASON_",
    PoolVerdict: "POOL_VERDICT_",
    PoolJumpKind: "POOL_JUMP_KIND_",
    PoolState: "POOL_STATE_",
    ChangeKind: "CHANGE_KIND_",
    WatchEventKind: "WATCH_EVENT_KIND_",
}


def job_view(job: job_pb2.Job) -> views.JobView:
    return views.JobView(
        job_id=job.job_id,
        spec=_spec(job.effective_spec),
        phase=word(job_pb2.JobPhase, job.phase, JobPhase),
        counts=views.ReplicaCounts(
            waiting=job.counts.waiting,
            placed=job.counts.placed,
            running=job.counts.running,
            done=job.counts.done,
        ),
        desired_replicas=job.desired_replicas,
        spec_generation=job.spec_generation,
        submitter=job.submitter,
        submitted_at=moment(job.submitted_at),
        cancel_requested_at=moment(job.cancel_requested_at),
        cancel_reason=job.cancel_reason,
        finished_at=moment(job.finished_at),
        etag=job.etag,
        revision=job.revision,
        replicas=tuple(replica_view(replica) for replica in job.replicas),
        replicas_left_out=job.replicas_left_out,
        hold=_hold(job.hold) if job.HasField("hold") else None,
    )


def _hold(hold: job_pb2.Hold) -> views.Hold:
    return views.Hold(reason=hold.reason, principal=hold.principal, held_at=moment(hold.held_at))


def run_view(run: job_pb2.Run) -> views.Run:
    return views.Run(
        run_id=run.run_id,
        run_number=run.run_number,
        state=word(job_pb2.RunState, run.state, RunState),
        end_reason=_end_reason(run.end_reason),
        stop_reason=_end_reason(run.stop_reason),
        placement=placement_view(run.placement) if run.HasField("placement") else None,
        value=value_view(run.value) if run.HasField("value") else None,
        placed_at=moment(run.placed_at),
        running_at=moment(run.running_at),
        ended_at=moment(run.ended_at),
        exit_code=run.exit_code if run.HasField("exit_code") else None,
        message=run.message,
        after_run_ids=tuple(run.after_run_ids),
    )


def event_kind(number: int) -> WatchEventKind | None:
    """The kind of a watch event; None for heartbeats and for what this client does not know."""
    if number not in job_service_pb2.WatchEventKind.values():
        return None
    name = job_service_pb2.WatchEventKind.Name(number)
    text = name.removeprefix(PREFIXES[WatchEventKind]).lower()
    return WatchEventKind(text) if text in [kind.value for kind in WatchEventKind] else None


def word(wire: EnumTypeWrapper, number: int, kind: type[W]) -> W:
    """The word for a number of the wire's enum."""
    name = wire.Name(number) if number in wire.values() else ""
    text = name.removeprefix(PREFIXES[kind]).lower()
    return kind(text if text in [member.value for member in kind] else "unknown")


def moment(timestamp: Timestamp) -> datetime | None:
    """The time in UTC, or None for an absent one."""
    if timestamp.ByteSize() == 0:
        return None
    return timestamp.ToDatetime(tzinfo=timezone.utc)


def duration(value: Duration) -> timedelta:
    return value.ToTimedelta()


def _spec(spec: job_pb2.JobSpec) -> views.JobSpec:
    constraints = spec.constraints
    return views.JobSpec(
        name=spec.name,
        queue=spec.queue,
        priority_class=spec.priority_class,
        kind=_kind(spec),
        alternatives=tuple(_alternative(alternative) for alternative in spec.alternatives),
        estimated_duration=(
            duration(spec.training.estimated_duration)
            if spec.training.HasField("estimated_duration")
            else None
        ),
        max_duration=duration(spec.max_duration) if spec.HasField("max_duration") else None,
        grace_period=duration(spec.grace_period) if spec.HasField("grace_period") else None,
        user_error_retries=spec.retry.user_errors,
        preemptible=spec.preemptible if spec.HasField("preemptible") else True,
        min_runtime=duration(spec.min_runtime) if spec.HasField("min_runtime") else None,
        locations=tuple(_location(location) for location in constraints.allowed_locations),
        denied_locations=tuple(_location(location) for location in constraints.denied_locations),
        pools=tuple(constraints.allowed_pools),
        denied_pools=tuple(constraints.denied_pools),
        markets=tuple(word(job_pb2.Market, market, Market) for market in constraints.markets),
        residency=tuple(constraints.residency),
    )


def _kind(spec: job_pb2.JobSpec) -> JobKind:
    kind = spec.WhichOneof("kind")
    return JobKind(kind) if kind is not None else JobKind.UNKNOWN


def _alternative(alternative: job_pb2.Alternative) -> Alternative:
    size = Size(alternative.accelerator, count=alternative.count)
    if alternative.WhichOneof("size") == "slice":
        size = Size(alternative.accelerator, topology=alternative.slice.topology)
    elif alternative.WhichOneof("size") == "gang" and alternative.gang.task_groups:
        group = alternative.gang.task_groups[0]
        size = Size(alternative.accelerator, gang=(group.tasks, group.devices_per_task))
    speed = alternative.speed_permille if alternative.HasField("speed_permille") else None
    return Alternative(str(size), speed_permille=speed)


def _location(location: job_pb2.Location) -> Location:
    return Location(location.provider, location.region, location.zone)


def replica_view(replica: job_pb2.Replica) -> views.Replica:
    return views.Replica(
        replica_id=replica.replica_id,
        index=replica.index,
        state=word(job_pb2.ReplicaState, replica.state, ReplicaState),
        deferral=deferral_view(replica.deferral) if replica.HasField("deferral") else None,
        run=run_view(replica.newest_run) if replica.HasField("newest_run") else None,
        runs=replica.run_count,
        pin=_pin(replica.pin) if replica.HasField("pin") else None,
    )


def _pin(pin: job_pb2.Pin) -> views.Pin:
    return views.Pin(
        pool_id=pin.pool_id, reason=pin.reason, principal=pin.principal, pinned_at=moment(pin.pinned_at)
    )


def deferral_view(deferral: job_pb2.Deferral) -> reasons.Deferral:
    return reasons.Deferral(
        reason=word(job_pb2.DeferralReason, deferral.reason, DeferralReason),
        verdicts=tuple(
            (word(job_pb2.PoolVerdict, count.verdict, PoolVerdict), count.pools)
            for count in deferral.verdicts
        ),
        accelerators_needed=_number(deferral, "accelerators_needed"),
        accelerators_free_max=_number(deferral, "accelerators_free_max"),
        cheapest_cost_usd_micros_per_useful_hour=_number(
            deferral, "cheapest_cost_usd_micros_per_useful_hour"
        ),
        worth_usd_micros_per_useful_hour=_number(deferral, "worth_usd_micros_per_useful_hour"),
        not_before=moment(deferral.not_before),
        planned_revision=_number(deferral, "planned_revision"),
        freeze=freeze_view(deferral.freeze) if deferral.HasField("freeze") else None,
        pool_id=deferral.pool_id,
        quota=shortage_view(deferral.quota) if deferral.HasField("quota") else None,
    )


def shortage_view(shortage: job_pb2.QuotaShortage) -> reasons.QuotaShortage:
    return reasons.QuotaShortage(
        queue=shortage.queue,
        cohort=shortage.cohort,
        resource=shortage.resource,
        needed=shortage.needed,
        available=shortage.available,
        limit=shortage.limit,
    )


def freeze_view(freeze: job_pb2.Freeze) -> reasons.Freeze:
    return reasons.Freeze(
        pool_id=freeze.scope.pool_id,
        queue=freeze.scope.queue,
        reason=freeze.reason,
        principal=freeze.principal,
        frozen_at=moment(freeze.frozen_at),
    )


def _number(
    deferral: job_pb2.Deferral,
    field: Literal[
        "accelerators_needed",
        "accelerators_free_max",
        "cheapest_cost_usd_micros_per_useful_hour",
        "worth_usd_micros_per_useful_hour",
        "planned_revision",
    ],
) -> int | None:
    """An optional number; None when it is absent."""
    number: int = getattr(deferral, field)
    return number if deferral.HasField(field) else None


def placement_view(placement: job_pb2.Placement) -> reasons.Placement:
    return reasons.Placement(
        assignments=tuple(_assignment(assignment) for assignment in placement.assignments),
        alternative_index=placement.alternative_index,
    )


def _assignment(assignment: job_pb2.PoolAssignment) -> reasons.PoolAssignment:
    return reasons.PoolAssignment(
        pool_id=assignment.pool_id,
        accelerator=assignment.accelerator,
        accelerators=assignment.accelerators,
        slice_topology=assignment.slice_topology,
        market=word(job_pb2.Market, assignment.market, Market),
        charged_usd_micros_per_hour=assignment.charged_usd_micros_per_hour,
        task_groups=tuple(_task_group(group) for group in assignment.task_groups),
    )


def _task_group(group: job_pb2.TaskGroupPlacement) -> reasons.TaskGroupPlacement:
    return reasons.TaskGroupPlacement(
        role=group.role,
        tasks=group.tasks,
        devices_per_task=group.devices_per_task,
        nodes=tuple(reasons.NodeShare(node=share.node, tasks=share.tasks) for share in group.nodes),
    )


def value_view(value: job_pb2.PlacementValue) -> reasons.PlacementValue:
    return reasons.PlacementValue(
        term_usd_micros_per_hour=value.term_usd_micros_per_hour,
        runner_up=(
            reasons.RunnerUp(
                pool_id=value.runner_up.pool_id,
                term_usd_micros_per_hour=value.runner_up.term_usd_micros_per_hour,
            )
            if value.HasField("runner_up")
            else None
        ),
    )


def _end_reason(number: int) -> EndReason | None:
    return None if number == 0 else word(job_pb2.EndReason, number, EndReason)
