"""Explanations from the wire."""

from __future__ import annotations

from placewright import explanations as views
from placewright.decode import deferral_view, placement_view, value_view, word
from placewright.v1 import explanation_pb2 as wire
from placewright.v1 import job_pb2
from placewright.words import ChangeKind, PoolVerdict


def explanation_view(answer: wire.ExplainJobResponse) -> views.Explanation:
    return views.Explanation(
        replica_id=answer.replica_id,
        revision=answer.revision,
        waiting=_waiting(answer.waiting) if answer.HasField("waiting") else None,
        placed=_placed(answer.placed) if answer.HasField("placed") else None,
    )


def _waiting(found: wire.WhyWaiting) -> views.WhyWaiting:
    return views.WhyWaiting(
        deferral=deferral_view(found.deferral) if found.HasField("deferral") else None,
        placement=placement_view(found.placement) if found.HasField("placement") else None,
        worth_usd_micros_per_useful_hour=found.worth_usd_micros_per_useful_hour,
        pools=tuple(_answer(answer) for answer in found.pools),
        changes=tuple(_change(change) for change in found.changes),
        changes_tried=found.changes_tried,
    )


def _answer(answer: wire.PoolAnswer) -> views.PoolAnswer:
    has_cost = answer.HasField("cost_usd_micros_per_useful_hour")
    return views.PoolAnswer(
        pool_id=answer.pool_id,
        verdict=word(job_pb2.PoolVerdict, answer.verdict, PoolVerdict),
        accelerators_needed=answer.accelerators_needed,
        accelerators_free=answer.accelerators_free,
        cost_usd_micros_per_useful_hour=answer.cost_usd_micros_per_useful_hour if has_cost else None,
    )


def _change(change: wire.AdmittingChange) -> views.AdmittingChange:
    return views.AdmittingChange(
        kind=word(wire.ChangeKind, change.kind, ChangeKind),
        pool_id=change.pool_id,
        field=change.field,
        queue=change.queue,
        cohort=change.cohort,
        resource=change.resource,
        amount=change.amount,
    )


def _placed(found: wire.WhyPlaced) -> views.WhyPlaced:
    return views.WhyPlaced(
        placement=placement_view(found.placement),
        value=value_view(found.value),
        work_usd_micros_per_hour=found.work_usd_micros_per_hour,
        price_usd_micros_per_hour=found.price_usd_micros_per_hour,
        urgency_usd_micros_per_hour=found.urgency_usd_micros_per_hour,
        shadow_usd_micros_per_hour=found.shadow_usd_micros_per_hour,
    )
