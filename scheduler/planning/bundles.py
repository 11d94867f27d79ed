"""Bundles: identical waiting replicas, planned as one integer."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from scheduler.model.brakes import Freeze, FreezeScope, freeze_id
from scheduler.model.ids import PoolId
from scheduler.model.job import JobSpec
from scheduler.model.plan import Snapshot, WaitingReplica
from scheduler.planning.age import age_step
from scheduler.planning.worth import Work, work_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """Replicas that planning cannot tell apart.

    Attributes:
        replicas: longest waiting first.
        spec: of the first replica's job; the others' are the same in all that planning looks at.
        not_before_ms: they back off until then; None when they do not.
        is_held: their jobs are held.
        freeze: of the cell or their queue, if there is one.
        pinned_to: the only pool that they may be placed on; None for any.
        age_step: how long they have waited, in steps.
    """

    replicas: tuple[WaitingReplica, ...]
    spec: JobSpec
    work: Work
    not_before_ms: int | None
    is_held: bool
    freeze: Freeze | None
    pinned_to: PoolId | None
    age_step: int

    def allows(self, pool_id: PoolId) -> bool:
        return self.pinned_to is None or self.pinned_to == pool_id

    @property
    def may_be_placed(self) -> bool:
        return self.not_before_ms is None and not self.is_held and self.freeze is None


def bundles_of(snapshot: Snapshot) -> tuple[Bundle, ...]:
    """Every waiting replica in one bundle; worthiest class first, then longest waiting, then id."""
    groups: dict[Hashable, list[WaitingReplica]] = {}
    freezes = {freeze.id: freeze for freeze in snapshot.freezes}
    job_keys: dict[str, Hashable] = {}
    for each in snapshot.waiting:
        key = job_keys.get(each.job.id)
        if key is None:
            key = job_keys[each.job.id] = (
                merge_key(each.job.spec),
                each.job.hold is not None,
                freeze_of(each.job.spec, freezes),
                each.job.spec.queue,
            )
        own = (back_off_ms(each, now_ms=snapshot.now_ms), pinned_to(each), age_of(each, snapshot))
        groups.setdefault((key, own), []).append(each)
    bundles = [bundle_of(group, snapshot) for group in groups.values()]
    return tuple(sorted(bundles, key=lambda bundle: (-bundle.work.worth, waiting_order(bundle.replicas[0]))))


def bundle_of(group: list[WaitingReplica], snapshot: Snapshot) -> Bundle:
    spec = group[0].job.spec
    return Bundle(
        replicas=tuple(sorted(group, key=waiting_order)),
        spec=spec,
        work=work_of(spec, snapshot.priority_classes[spec.priority_class]),
        not_before_ms=back_off_ms(group[0], now_ms=snapshot.now_ms),
        is_held=group[0].job.hold is not None,
        freeze=freeze_of(spec, {freeze.id: freeze for freeze in snapshot.freezes}),
        pinned_to=pinned_to(group[0]),
        age_step=age_of(group[0], snapshot),
    )


def freeze_of(spec: JobSpec, freezes: Mapping[str, Freeze]) -> Freeze | None:
    """The freeze of the cell, else of the job's queue."""
    if not freezes:
        return None
    return freezes.get(freeze_id(FreezeScope.CELL)) or freezes.get(freeze_id(FreezeScope.QUEUE, spec.queue))


def merge_key(spec: JobSpec) -> Hashable:
    """Everything about a job that planning looks at, but for its hold and its queue."""
    return (
        spec.priority_class,
        spec.training is not None and spec.training.estimated_duration_ms is not None,
        spec.constraints,
        tuple(
            (way.accelerator, way.tasks, way.devices_per_task, way.slice_topology, way.speed_permille)
            for way in spec.alternatives
        ),
    )


def back_off_ms(each: WaitingReplica, *, now_ms: int) -> int | None:
    return each.replica.backs_off_until(now_ms)


def pinned_to(each: WaitingReplica) -> PoolId | None:
    return None if each.replica.pin is None else each.replica.pin.pool_id


def age_of(each: WaitingReplica, snapshot: Snapshot) -> int:
    return age_step(snapshot.now_ms - each.replica.waiting_since_ms)


def waiting_order(each: WaitingReplica) -> tuple[int, str]:
    """Sort key: longest waiting, then id."""
    return (each.replica.waiting_since_ms, each.replica.id)
