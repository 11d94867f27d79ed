"""What-if answers to protobuf."""

from collections.abc import Sequence

from placewright.v1 import planner_service_pb2 as wire
from scheduler.api.encode_job import encode_deferral, encode_placement, encode_value
from scheduler.model.job import JobSpec
from scheduler.model.whatif import ChangedFate, Fate, FateOfReplica, PlanFigures, WhatIf


def encode_what_if(answer: WhatIf, specs: Sequence[JobSpec]) -> wire.PlanJobsResponse:
    """The answer; `specs` are of the hypothetical jobs."""
    return wire.PlanJobsResponse(
        revision=answer.revision,
        before=encode_figures(answer.before),
        after=encode_figures(answer.after),
        jobs=[
            wire.PlannedJob(name=spec.name, replicas=encode_replicas(fates))
            for spec, fates in zip(specs, answer.jobs, strict=True)
        ],
        changes=[encode_change(change) for change in answer.changes],
        changes_left_out=answer.changes_left_out,
    )


def encode_figures(figures: PlanFigures) -> wire.PlanFigures:
    return wire.PlanFigures(
        objective_usd_micros_per_hour=figures.objective_usd_micros_per_hour,
        bound_usd_micros_per_hour=figures.bound_usd_micros_per_hour,
        gap_permille=figures.gap_permille,
        charged_usd_micros_per_hour=figures.charged_usd_micros_per_hour,
        paid_usd_micros_per_hour=figures.paid_usd_micros_per_hour,
        placed=figures.placed,
        waiting=figures.waiting,
    )


def encode_replicas(fates: Sequence[FateOfReplica]) -> list[wire.PlannedReplica]:
    return [wire.PlannedReplica(index=index, fate=encode_fate(each.fate)) for index, each in enumerate(fates)]


def encode_change(change: ChangedFate) -> wire.ChangedReplica:
    return wire.ChangedReplica(
        replica_id=change.replica_id,
        job_id=change.job_id,
        before=encode_fate(change.before),
        after=encode_fate(change.after),
    )


def encode_fate(fate: Fate) -> wire.Fate:
    if fate.placement is not None:
        return wire.Fate(placement=encode_placement(fate.placement), value=encode_value(fate.placement))
    if fate.preempted_by is not None:
        return wire.Fate(preempted_by=fate.preempted_by)
    assert fate.deferral is not None
    return wire.Fate(deferral=encode_deferral(fate.deferral))
