"""What-if questions and answers between the wire and the views."""

from __future__ import annotations

from collections.abc import Sequence

from placewright import plans
from placewright.decode import deferral_view, placement_view, value_view
from placewright.job import Job, submission_of
from placewright.pool_messages import pool_spec_message
from placewright.v1 import job_service_pb2 as jobs
from placewright.v1 import planner_service_pb2 as planner


def submission_messages(wanted: Sequence[Job]) -> list[jobs.JobSubmission]:
    """The jobs as they are sent; nothing is submitted, so that any request id does."""
    return [submission_of(job, request_id=f"what-if-{number}") for number, job in enumerate(wanted)]


def pool_message(pool: plans.SupposedPool) -> planner.SupposedPool:
    return planner.SupposedPool(pool_id=pool.pool_id, spec=pool_spec_message(pool.spec))


def queue_message(queue: plans.SupposedQueue) -> planner.SupposedQueue:
    quotas = [
        planner.SupposedQuota(
            resource=quota.resource,
            nominal=quota.nominal,
            borrowing_limit=quota.borrowing_limit,
            lending_limit=quota.lending_limit,
        )
        for quota in queue.quotas
    ]
    return planner.SupposedQueue(queue=queue.queue, quotas=quotas)


def what_if_view(answer: planner.PlanJobsResponse) -> plans.WhatIf:
    return plans.WhatIf(
        revision=answer.revision,
        before=_figures(answer.before),
        after=_figures(answer.after),
        jobs=tuple(_job(job) for job in answer.jobs),
        changes=tuple(
            plans.ChangedReplica(
                replica_id=change.replica_id,
                job_id=change.job_id,
                before=_fate(change.before),
                after=_fate(change.after),
            )
            for change in answer.changes
        ),
        changes_left_out=answer.changes_left_out,
    )


def _job(job: planner.PlannedJob) -> plans.PlannedJob:
    replicas = tuple(
        plans.PlannedReplica(index=replica.index, fate=_fate(replica.fate)) for replica in job.replicas
    )
    return plans.PlannedJob(name=job.name, replicas=replicas)


def _fate(fate: planner.Fate) -> plans.Fate:
    return plans.Fate(
        placement=placement_view(fate.placement) if fate.HasField("placement") else None,
        value=value_view(fate.value) if fate.HasField("value") else None,
        deferral=deferral_view(fate.deferral) if fate.HasField("deferral") else None,
        preempted_by=fate.preempted_by,
    )


def _figures(figures: planner.PlanFigures) -> plans.PlanFigures:
    bound, gap = figures.bound_usd_micros_per_hour, figures.gap_permille
    return plans.PlanFigures(
        objective_usd_micros_per_hour=figures.objective_usd_micros_per_hour,
        bound_usd_micros_per_hour=bound if figures.HasField("bound_usd_micros_per_hour") else None,
        gap_permille=gap if figures.HasField("gap_permille") else None,
        charged_usd_micros_per_hour=figures.charged_usd_micros_per_hour,
        paid_usd_micros_per_hour=figures.paid_usd_micros_per_hour,
        placed=figures.placed,
        waiting=figures.waiting,
    )
