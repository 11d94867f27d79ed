"""Queues, cohorts and quotas to and from the wire."""

from __future__ import annotations

from collections.abc import Iterable

from placewright.decode import freeze_view
from placewright.queues import CohortSpec, CohortView, QueueSpec, QueueView, Quota, QuotaUsage
from placewright.v1 import queue_pb2, queue_service_pb2


def queue_spec_message(spec: QueueSpec) -> queue_pb2.QueueSpec:
    return queue_pb2.QueueSpec(
        cohort=spec.cohort, weight_permille=spec.weight_permille, quotas=_quota_messages(spec.quotas)
    )


def cohort_spec_message(spec: CohortSpec) -> queue_pb2.CohortSpec:
    return queue_pb2.CohortSpec(parent=spec.parent, quotas=_quota_messages(spec.quotas))


def _quota_messages(quotas: Iterable[Quota]) -> list[queue_pb2.Quota]:
    return [
        queue_pb2.Quota(
            resource=quota.resource,
            nominal=quota.nominal,
            borrowing_limit=quota.borrowing_limit,
            lending_limit=quota.lending_limit,
        )
        for quota in quotas
    ]


def queue_view(queue: queue_service_pb2.Queue) -> QueueView:
    return QueueView(
        queue=queue.queue,
        unfinished_jobs=queue.unfinished_jobs,
        waiting_jobs=queue.waiting_jobs,
        waiting_replicas=queue.waiting_replicas,
        live_runs=queue.live_runs,
        accelerators_used=queue.accelerators_used,
        hold=freeze_view(queue.hold) if queue.HasField("hold") else None,
        spec=_queue_spec(queue.spec) if queue.HasField("spec") else None,
        usage=_usages(queue.usage),
        etag=queue.etag,
    )


def _queue_spec(spec: queue_pb2.QueueSpec) -> QueueSpec:
    return QueueSpec(cohort=spec.cohort, weight_permille=spec.weight_permille, quotas=_quotas(spec.quotas))


def cohort_view(cohort: queue_pb2.Cohort) -> CohortView:
    return CohortView(
        cohort=cohort.cohort,
        spec=CohortSpec(parent=cohort.spec.parent, quotas=_quotas(cohort.spec.quotas)),
        usage=_usages(cohort.usage),
        etag=cohort.etag,
    )


def _quotas(quotas: Iterable[queue_pb2.Quota]) -> tuple[Quota, ...]:
    return tuple(
        Quota(
            resource=quota.resource,
            nominal=quota.nominal,
            borrowing_limit=quota.borrowing_limit if quota.HasField("borrowing_limit") else None,
            lending_limit=quota.lending_limit if quota.HasField("lending_limit") else None,
        )
        for quota in quotas
    )


def _usages(usages: Iterable[queue_pb2.QuotaUsage]) -> tuple[QuotaUsage, ...]:
    return tuple(
        QuotaUsage(
            resource=usage.resource,
            nominal=usage.nominal,
            used=usage.used,
            borrowed=usage.borrowed,
            available=usage.available,
        )
        for usage in usages
    )
