"""What-if questions from protobuf."""

from collections.abc import Iterable, Sequence

from placewright.v1 import planner_service_pb2 as wire
from scheduler.api.checks import Checks, shown
from scheduler.api.pools import decode_spec
from scheduler.api.submissions import Submissions
from scheduler.model.accelerator import Catalogue
from scheduler.model.ids import JobId, PoolId, QueueName
from scheduler.model.job import JobSpec
from scheduler.model.limits import WHAT_IF_ITEMS_MAX, WHAT_IF_JOBS_MAX, WHAT_IF_REPLICAS_MAX
from scheduler.model.queue import COST, Quota, Resource
from scheduler.model.whatif import Hypotheses, SupposedPool, SupposedQuotas

QUOTA_AMOUNT_MAX = 10**12


class Questions:
    """Decodes what is supposed."""

    def __init__(self, submissions: Submissions, catalogue: Catalogue) -> None:
        self._submissions, self._catalogue = submissions, catalogue

    def decode(self, request: wire.PlanJobsRequest, checks: Checks) -> Hypotheses:
        """The hypotheses, as far as `checks` finds nothing wrong with them.

        Raises:
            InvalidRequest: there are too many of something, or a submission is wrong.
        """
        checks.count("submissions", len(request.submissions), 0, WHAT_IF_JOBS_MAX)
        for name in ("pools", "removed_pool_ids", "queues", "left_out_job_ids"):
            checks.count(name, len(getattr(request, name)), 0, WHAT_IF_ITEMS_MAX)
        checks.done()
        supposed_ids = [each.pool_id for each in request.pools]
        check_distinct("pools[{}].pool_id", supposed_ids, checks)
        for number, removed in enumerate(request.removed_pool_ids):
            if removed in supposed_ids:
                checks.add(f"removed_pool_ids[{number}]", f"must be none of pools, got {shown(removed)}")
        check_distinct("queues[{}].queue", [each.queue for each in request.queues], checks)
        return Hypotheses(
            jobs=self._jobs(request, checks),
            pools=tuple(self._pools(request.pools, checks)),
            removed_pools=tuple(PoolId(each) for each in ids("removed_pool_ids", request, checks)),
            quotas=tuple(
                decode_quotas(each, f"queues[{number}]", self._catalogue, checks)
                for number, each in enumerate(request.queues)
            ),
            left_out_jobs=tuple(JobId(each) for each in ids("left_out_job_ids", request, checks)),
        )

    def _jobs(self, request: wire.PlanJobsRequest, checks: Checks) -> tuple[JobSpec, ...]:
        specs = tuple(
            self._submissions.decode(submission, prefix=f"submissions[{number}].").submission.spec
            for number, submission in enumerate(request.submissions)
        )
        replicas = sum(spec.replicas for spec in specs)
        if replicas > WHAT_IF_REPLICAS_MAX:
            checks.add(
                "submissions", f"must have at most {WHAT_IF_REPLICAS_MAX} replicas in all, got {replicas}"
            )
        return specs

    def _pools(self, messages: Iterable[wire.SupposedPool], checks: Checks) -> Iterable[SupposedPool]:
        for number, each in enumerate(messages):
            own = Checks(f"pools[{number}].")
            pool_id = PoolId(own.id("pool_id", each.pool_id))
            spec = decode_spec(each.spec, self._catalogue, own)
            checks.violations += own.violations
            if spec is not None:
                yield SupposedPool(id=pool_id, spec=spec)


def ids(name: str, request: wire.PlanJobsRequest, checks: Checks) -> Sequence[str]:
    return [checks.id(f"{name}[{number}]", each) for number, each in enumerate(getattr(request, name))]


def check_distinct(field: str, values: Sequence[str], checks: Checks) -> None:
    """That no value comes twice; `field` has a place for the number of the first of them."""
    for value in sorted({value for value in values if values.count(value) > 1}):
        checks.add(field.format(values.index(value)), f"must come only once, got {shown(value)}")


def decode_quotas(
    message: wire.SupposedQueue, field: str, catalogue: Catalogue, checks: Checks
) -> SupposedQuotas:
    name = QueueName(checks.id(f"{field}.queue", message.queue))
    checks.count(f"{field}.quotas", len(message.quotas), 0, WHAT_IF_ITEMS_MAX)
    check_distinct(f"{field}.quotas[{{}}].resource", [each.resource for each in message.quotas], checks)
    quotas = {
        each.resource: decode_quota(each, f"{field}.quotas[{number}]", catalogue, checks)
        for number, each in enumerate(message.quotas)
    }
    return SupposedQuotas(queue=name, quotas=tuple(quotas.values()))


def decode_quota(message: wire.SupposedQuota, field: str, catalogue: Catalogue, checks: Checks) -> Quota:
    known = (COST, *sorted(catalogue.accelerators))
    if message.resource not in known:
        allowed = ", ".join(known)
        checks.add(f"{field}.resource", f"must be one of {allowed}; got {shown(message.resource)}")
    borrowing_limit, lending_limit = (
        checks.within(f"{field}.{name}", getattr(message, name), 0, QUOTA_AMOUNT_MAX)
        if message.HasField(name)
        else None
        for name in ("borrowing_limit", "lending_limit")
    )
    return Quota(
        resource=Resource(message.resource),
        nominal=checks.within(f"{field}.nominal", message.nominal, 0, QUOTA_AMOUNT_MAX),
        borrowing_limit=borrowing_limit,
        lending_limit=lending_limit,
    )
