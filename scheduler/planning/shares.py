"""Fair shares: what a queue uses beyond steps of its share of the fleet is worth less and less.

Each queue has a ladder per priority class: steps of useful accelerators, from what it uses now upwards, and
a toll on every unit that climbs a step; docs/decisions/fair-share.md.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from scheduler.model.guidance import Guidance
from scheduler.model.ids import AcceleratorName, PriorityClassName, QueueName
from scheduler.model.plan import Snapshot
from scheduler.model.queue import WEIGHT_PERMILLE_DEFAULT
from scheduler.planning.bundles import Bundle
from scheduler.planning.quotas import NO_PARENT, NO_QUOTAS, QuotaTrees, joined
from scheduler.planning.room import Room
from scheduler.planning.worth import WORTH_PER_STEP

STEP_ENDS_PERMILLE = (250, 500, 750, 1_000, 1_500, 2_000, 4_000)
"""Where steps end, in thousandths of the queue's share; the eighth has no end."""
STEPS = len(STEP_ENDS_PERMILLE) + 1
USAGE_EVERY_MS = 600_000
USAGE_HALF_MS = 24 * 3_600_000

Ladder = tuple[QueueName, PriorityClassName]


class Shares(NamedTuple):
    """The ladders of all queues that wait, as trees, and the lowest node of each."""

    trees: QuotaTrees
    feet: Mapping[Ladder, int]


NO_SHARES = Shares(NO_QUOTAS, {})


def shares_of(snapshot: Snapshot, bundles: Sequence[Bundle], rooms: Sequence[Room]) -> Shares:
    """Nothing while there is one queue: it has nobody to share with."""
    used = usage_that_counts(snapshot)
    waiting = {bundle.spec.queue for bundle in bundles}
    queues = sorted({*waiting, *used})
    if len(queues) < 2:
        return NO_SHARES
    weights = {planned.queue.name: planned.queue.weight_permille for planned in snapshot.queues}
    total = sum(weights.get(queue, WEIGHT_PERMILLE_DEFAULT) for queue in queues)
    fleet = useful_permille_of_fleet(snapshot, bundles, rooms)
    wanted = wanted_by(bundles)
    ladders: list[QuotaTrees] = []
    feet: dict[Ladder, int] = {}
    for queue, class_name in sorted(wanted):
        share = fleet * weights.get(queue, WEIGHT_PERMILLE_DEFAULT) // total
        worth = snapshot.priority_classes[class_name].worth_usd_micros
        most = wanted[queue, class_name]
        ladders.append(ladder(share, used=used.get(queue, 0), most=most, toll=worth // WORTH_PER_STEP))
        feet[queue, class_name] = STEPS * len(ladders) - 1
    return Shares(joined(ladders), feet)


def usage_that_counts(snapshot: Snapshot) -> dict[QueueName, int]:
    """Useful permille by queue: what it uses now or has used lately on average, whichever is more."""
    now, lately = usage_now(snapshot), dict(snapshot.guidance.usage)
    return {queue: max(now[queue], lately.get(queue, 0)) for queue in {*now, *lately}}


def usage_now(snapshot: Snapshot) -> Counter[QueueName]:
    used = Counter[QueueName]()
    for each in snapshot.usage:
        used[each.queue] += each.useful_permille
    return used


def with_usage(guidance: Guidance, snapshot: Snapshot) -> Guidance:
    """The guidance with the average use of queues brought up to date, if that was some time ago.

    A difference fades to a half within `USAGE_HALF_MS`: x / (1 + x) of it for x half-lives, in integers.
    """
    old, now = snapshot.guidance, usage_now(snapshot)
    passed_ms = snapshot.now_ms - old.usage_at_ms
    if 0 <= passed_ms < USAGE_EVERY_MS:
        return replace(guidance, usage=old.usage, usage_at_ms=old.usage_at_ms)
    known = dict(old.usage) if old.usage_at_ms else now
    fresh = ((queue, faded(known.get(queue, 0), now[queue], passed_ms)) for queue in sorted({*known, *now}))
    kept = tuple((queue, used) for queue, used in fresh if used > 0)
    return replace(guidance, usage=kept, usage_at_ms=snapshot.now_ms)


def faded(old: int, new: int, passed_ms: int) -> int:
    passed_ms = max(0, passed_ms)
    return (old * USAGE_HALF_MS + new * passed_ms) // (USAGE_HALF_MS + passed_ms)


def useful_permille_of_fleet(snapshot: Snapshot, bundles: Sequence[Bundle], rooms: Sequence[Room]) -> int:
    """What runs and what is free, at the best speed that anything waiting has on it."""
    speeds: dict[AcceleratorName, int] = {}
    for bundle in bundles:
        for way in bundle.spec.alternatives:
            speeds[way.accelerator] = max(speeds.get(way.accelerator, 0), way.speed_permille)
    free = (
        room.accelerators * speeds.get(planned.pool.spec.accelerator, 0)
        for planned, room in zip(snapshot.pools, rooms, strict=True)
    )
    return sum(each.useful_permille for each in snapshot.usage) + sum(free)


def wanted_by(bundles: Sequence[Bundle]) -> dict[Ladder, int]:
    """Useful permille that each queue wants in each class, if it got the fastest of everything."""
    wanted = Counter[Ladder]()
    for bundle in bundles:
        fastest = max(way.gang_speed_permille for way in bundle.spec.alternatives)
        wanted[bundle.spec.queue, bundle.spec.priority_class] += fastest * len(bundle.replicas)
    return dict(wanted)


def ladder(share: int, *, used: int, most: int, toll: int) -> QuotaTrees:
    """The steps, the last first; what is used fills them from below, and `most` more always finds room.

    What is new starts at the foot all the same: it pays for every step that is used up.
    """
    ends = [0, *(max(0, share * end // 1_000 - used) for end in STEP_ENDS_PERMILLE)]
    widths = [upper - lower for lower, upper in pairwise(ends)]
    return QuotaTrees(
        parents=np.arange(NO_PARENT, STEPS - 1, dtype=np.int64),
        local=np.array([most, *reversed(widths)], dtype=np.int64),
        overflow=np.array([0, *[most] * (STEPS - 1)], dtype=np.int64),
        tolls=np.array([0, *[toll] * (STEPS - 1)], dtype=np.int64),
    )
