"""Explanations to protobuf."""

from placewright.v1 import explanation_pb2 as wire
from scheduler.api import enums
from scheduler.api.encode_job import encode_deferral, encode_placement, encode_value
from scheduler.model.explanation import Change, ChangeKind, PoolAnswer, WhyPlaced, WhyWaiting

CHANGE_KINDS = enums.Names(ChangeKind, wire.ChangeKind, "CHANGE_KIND")


def encode_explanation(found: WhyWaiting | WhyPlaced) -> wire.ExplainJobResponse:
    message = wire.ExplainJobResponse(replica_id=found.replica_id, revision=found.revision)
    if isinstance(found, WhyWaiting):
        message.waiting.CopyFrom(encode_waiting(found))
    else:
        message.placed.CopyFrom(encode_placed(found))
    return message


def encode_waiting(found: WhyWaiting) -> wire.WhyWaiting:
    return wire.WhyWaiting(
        deferral=None if found.deferral is None else encode_deferral(found.deferral),
        placement=None if found.placement is None else encode_placement(found.placement),
        worth_usd_micros_per_useful_hour=found.worth_usd_micros_per_useful_hour,
        pools=[encode_answer(answer) for answer in found.pools],
        changes=[encode_change(change) for change in found.changes],
        changes_tried=found.changes_tried,
    )


def encode_answer(answer: PoolAnswer) -> wire.PoolAnswer:
    return wire.PoolAnswer(
        pool_id=answer.pool_id,
        verdict=enums.POOL_VERDICTS.to_wire(answer.verdict),  # type: ignore[arg-type]  # an int is an enum value
        accelerators_needed=answer.accelerators_needed,
        accelerators_free=answer.accelerators_free,
        cost_usd_micros_per_useful_hour=answer.cost_usd_micros_per_useful_hour,
    )


def encode_change(change: Change) -> wire.AdmittingChange:
    message = wire.AdmittingChange(
        kind=CHANGE_KINDS.to_wire(change.kind),  # type: ignore[arg-type]  # an int is an enum value
        pool_id=change.pool_id or "",
        field=change.field,
        resource=change.resource,
        amount=change.amount,
    )
    if change.queue:
        message.queue = change.queue
    elif change.cohort:
        message.cohort = change.cohort
    return message


def encode_placed(found: WhyPlaced) -> wire.WhyPlaced:
    parts = found.parts
    return wire.WhyPlaced(
        placement=encode_placement(found.placement),
        value=encode_value(found.placement),
        work_usd_micros_per_hour=parts.work_usd_micros_per_hour,
        price_usd_micros_per_hour=parts.price_usd_micros_per_hour,
        urgency_usd_micros_per_hour=parts.urgency_usd_micros_per_hour,
        shadow_usd_micros_per_hour=parts.shadow_usd_micros_per_hour,
    )
