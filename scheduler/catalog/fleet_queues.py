"""What the cohorts and queues of a fleet file mean together and against the catalogue."""

from collections.abc import Iterator, Mapping, Sequence

from scheduler.catalog.fleet_checks import Fault
from scheduler.catalog.fleet_format import THOUSAND, CohortEntry, FleetEntry, QueueEntry, QuotaEntry
from scheduler.catalog.yaml_lines import ValuePath
from scheduler.model.accelerator import Catalogue
from scheduler.model.ids import AcceleratorName, QueueName
from scheduler.model.limits import COHORT_DEPTH_MAX, QUOTA_UNITS_MAX
from scheduler.model.queue import COST, Cohort, CohortName, Queue, Quota, Resource

USD = "usd"
AMOUNTS = ("nominal", "borrowing_limit", "lending_limit")


def faults_of_queues(entry: FleetEntry, catalogue: Catalogue) -> Iterator[Fault]:
    """What is wrong with cohorts and queues together and with the catalogue."""
    parents = {cohort.name: cohort.parent for cohort in entry.cohorts}
    yield from _twice([cohort.name for cohort in entry.cohorts], "cohorts")
    yield from _twice([queue.name for queue in entry.queues], "queues")
    for index, cohort in enumerate(entry.cohorts):
        at: ValuePath = ("cohorts", index)
        yield from _above_faults(cohort.parent, parents, (*at, "parent"), below=cohort.name)
        yield from _quota_faults(cohort.quotas, catalogue, at)
    for index, queue in enumerate(entry.queues):
        at = ("queues", index)
        yield from _above_faults(queue.cohort, parents, (*at, "cohort"), below=None)
        yield from _quota_faults(queue.quotas, catalogue, at)


def _twice(names: Sequence[str], section: str) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if first.setdefault(name, index) != index:
            what = f"is {name!r}: {section}[{first[name]}] has it already"
            yield Fault((section, index, "name"), what)


def _above_faults(
    above: str | None, parents: Mapping[str, str | None], at: ValuePath, *, below: str | None
) -> Iterator[Fault]:
    """Whether the cohorts above are there, not `below` itself, and not too many."""
    if above is not None and above not in parents:
        yield Fault(at, f"is {above!r}: must be one of the file's cohorts: {', '.join(parents) or 'none'}")
        return
    depth, start = 0, above
    while above is not None and above in parents:
        if above == below:
            yield Fault(at, f"is {start!r}: would put cohort {below} above itself")
            return
        depth += 1
        if depth > COHORT_DEPTH_MAX:
            yield Fault(at, f"is {start!r}: lies below {COHORT_DEPTH_MAX} cohorts already, or in a ring")
            return
        above = parents[above]


def _quota_faults(quotas: Sequence[QuotaEntry], catalogue: Catalogue, at: ValuePath) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, quota in enumerate(quotas):
        here: ValuePath = (*at, "quotas", index)
        if first.setdefault(quota.resource, index) != index:
            what = f"is {quota.resource!r}: quotas[{first[quota.resource]}] has it already"
            yield Fault((*here, "resource"), what)
        if quota.resource == USD:
            yield from _amount_faults(
                quota, here, 1, f"at most {QUOTA_UNITS_MAX // THOUSAND} dollars an hour"
            )
        elif AcceleratorName(quota.resource) in catalogue.accelerators:
            yield from _amount_faults(quota, here, THOUSAND, "a whole number of accelerators")
        else:
            allowed = ", ".join((USD, *catalogue.accelerators))
            yield Fault((*here, "resource"), f"is {quota.resource!r}: must be one of {allowed}")


def _amount_faults(quota: QuotaEntry, at: ValuePath, unit: int, allowed: str) -> Iterator[Fault]:
    for name in AMOUNTS:
        thousandths: int | None = getattr(quota, name)
        if thousandths is not None and (thousandths % unit or thousandths // unit > QUOTA_UNITS_MAX):
            yield Fault((*at, name), f"is {thousandths / THOUSAND:g}: must be {allowed}")


def cohorts_of(entries: Sequence[CohortEntry]) -> tuple[Cohort, ...]:
    """The cohorts of entries without faults, each after the one that it is in."""
    left = {entry.name: entry for entry in entries}
    ordered: list[CohortEntry] = []
    while left:
        ready = [entry for entry in left.values() if entry.parent not in left]
        assert ready, left
        ordered += ready
        for entry in ready:
            del left[entry.name]
    return tuple(
        Cohort(
            name=CohortName(entry.name),
            parent=None if entry.parent is None else CohortName(entry.parent),
            quotas=_quotas(entry.quotas),
        )
        for entry in ordered
    )


def queues_of(entries: Sequence[QueueEntry]) -> tuple[Queue, ...]:
    """The queues that entries without faults mean."""
    return tuple(
        Queue(
            name=QueueName(entry.name),
            cohort=None if entry.cohort is None else CohortName(entry.cohort),
            weight_permille=entry.weight,
            quotas=_quotas(entry.quotas),
        )
        for entry in entries
    )


def _quotas(entries: Sequence[QuotaEntry]) -> tuple[Quota, ...]:
    """By resource, as the API has them."""
    return tuple(sorted((_quota(entry) for entry in entries), key=lambda quota: quota.resource))


def _quota(entry: QuotaEntry) -> Quota:
    unit = 1 if entry.resource == USD else THOUSAND
    nominal, borrowing, lending = (
        None if thousandths is None else thousandths // unit
        for thousandths in (entry.nominal, entry.borrowing_limit, entry.lending_limit)
    )
    assert nominal is not None, entry
    return Quota(
        resource=COST if entry.resource == USD else Resource(entry.resource),
        nominal=nominal,
        borrowing_limit=borrowing,
        lending_limit=lending,
    )
