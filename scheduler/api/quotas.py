"""Queues, cohorts and their quotas between protobuf and model."""

from collections.abc import Iterable, Sequence

from placewright.v1 import queue_pb2, queue_service_pb2
from scheduler.api.checks import Checks, shown
from scheduler.api.encode_job import encode_freeze
from scheduler.api.positions import encode_etag
from scheduler.model.accelerator import Catalogue
from scheduler.model.ids import History, QueueName
from scheduler.model.limits import QUOTA_UNITS_MAX, QUOTAS_MAX, WEIGHT_PERMILLE_MAX
from scheduler.model.queue import COST, WEIGHT_PERMILLE_DEFAULT, Cohort, CohortName, Queue, Quota, Resource
from scheduler.planning.quota_usage import QuotaUse
from scheduler.service.queues import QueueView
from scheduler.service.quotas import CohortView


def decode_queue(name: str, spec: queue_pb2.QueueSpec, catalogue: Catalogue, checks: Checks) -> Queue | None:
    """The queue; None when something is wrong, which `checks` then holds."""
    checks.id("queue", name)
    checks.known("spec", spec)
    if spec.cohort:
        checks.id("spec.cohort", spec.cohort)
    weight = checks.within(
        "spec.weight_permille", spec.weight_permille or WEIGHT_PERMILLE_DEFAULT, 1, WEIGHT_PERMILLE_MAX
    )
    quotas = _decode_quotas(spec.quotas, catalogue, checks)
    if checks.violations:
        return None
    return Queue(
        name=QueueName(name),
        cohort=CohortName(spec.cohort) if spec.cohort else None,
        weight_permille=weight,
        quotas=quotas,
    )


def decode_cohort(
    name: str, spec: queue_pb2.CohortSpec, catalogue: Catalogue, checks: Checks
) -> Cohort | None:
    """The cohort; None when something is wrong, which `checks` then holds."""
    checks.id("cohort", name)
    checks.known("spec", spec)
    if spec.parent:
        checks.id("spec.parent", spec.parent)
    if spec.parent == name:
        checks.add("spec.parent", f"must be another cohort than itself, got {shown(name)}")
    quotas = _decode_quotas(spec.quotas, catalogue, checks)
    if checks.violations:
        return None
    parent = CohortName(spec.parent) if spec.parent else None
    return Cohort(name=CohortName(name), parent=parent, quotas=quotas)


def _decode_quotas(
    messages: Sequence[queue_pb2.Quota], catalogue: Catalogue, checks: Checks
) -> tuple[Quota, ...]:
    """By resource, so that their order means nothing."""
    checks.count("spec.quotas", len(messages), 0, QUOTAS_MAX)
    quotas: dict[str, Quota] = {}
    for index, message in enumerate(messages[:QUOTAS_MAX]):
        field = f"spec.quotas[{index}]"
        quota = _decode_quota(field, message, catalogue, checks)
        if quota.resource in quotas:
            checks.add(f"{field}.resource", f"must be of one quota only, {quota.resource!r} has another")
        quotas[quota.resource] = quota
    return tuple(quotas[resource] for resource in sorted(quotas))


def _decode_quota(field: str, message: queue_pb2.Quota, catalogue: Catalogue, checks: Checks) -> Quota:
    resources = (COST, *sorted(catalogue.accelerators))
    if message.resource not in resources:
        checks.add(
            f"{field}.resource", f"must be one of {', '.join(resources)}; got {shown(message.resource)}"
        )

    def amount(name: str) -> int:
        return checks.within(f"{field}.{name}", getattr(message, name), 0, QUOTA_UNITS_MAX)

    return Quota(
        resource=Resource(message.resource),
        nominal=amount("nominal"),
        borrowing_limit=amount("borrowing_limit") if message.HasField("borrowing_limit") else None,
        lending_limit=amount("lending_limit") if message.HasField("lending_limit") else None,
    )


def encode_queue(view: QueueView, history: History) -> queue_service_pb2.Queue:
    """The queue; its etag is of the history."""
    return queue_service_pb2.Queue(
        queue=view.queue,
        unfinished_jobs=view.unfinished_jobs,
        waiting_jobs=view.waiting_jobs,
        waiting_replicas=view.waiting_replicas,
        live_runs=view.live_runs,
        accelerators_used=view.accelerators_used,
        hold=None if view.hold is None else encode_freeze(view.hold),
        spec=None if view.record is None else _encode_queue_spec(view.record),
        usage=_encode_uses(view.quotas),
        etag="" if view.record is None else encode_etag(history, view.generation),
    )


def _encode_queue_spec(queue: Queue) -> queue_pb2.QueueSpec:
    return queue_pb2.QueueSpec(
        cohort=queue.cohort or "",
        weight_permille=queue.weight_permille,
        quotas=[_encode_quota(quota) for quota in queue.quotas],
    )


def encode_cohort(view: CohortView, history: History) -> queue_pb2.Cohort:
    """The cohort; its etag is of the history."""
    cohort = view.cohort
    spec = queue_pb2.CohortSpec(
        parent=cohort.parent or "", quotas=[_encode_quota(quota) for quota in cohort.quotas]
    )
    return queue_pb2.Cohort(
        cohort=cohort.name,
        spec=spec,
        usage=_encode_uses(view.quotas),
        etag=encode_etag(history, view.generation),
    )


def _encode_quota(quota: Quota) -> queue_pb2.Quota:
    return queue_pb2.Quota(
        resource=quota.resource,
        nominal=quota.nominal,
        borrowing_limit=quota.borrowing_limit,
        lending_limit=quota.lending_limit,
    )


def _encode_uses(uses: Iterable[QuotaUse]) -> list[queue_pb2.QuotaUsage]:
    return [
        queue_pb2.QuotaUsage(
            resource=use.resource,
            nominal=use.nominal,
            used=use.used,
            borrowed=use.borrowed,
            available=use.available,
        )
        for use in uses
    ]
