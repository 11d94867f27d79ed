"""Plans as bytes, for the way back from the planner process. Both ends are the same version."""

from typing import assert_never

import msgspec

from scheduler.model.deferral import Deferral
from scheduler.model.guidance import Guidance
from scheduler.model.ids import PoolId, ReplicaId, Revision
from scheduler.model.plan import Place, Plan, PlanMethod, PlanQuality, Step, Stop
from scheduler.model.records import Key
from scheduler.model.transaction import Check, IsAbsent, IsAt, IsPlannedAt

_WireCheck = tuple[str, Key, Revision]


class _WireStep(msgspec.Struct, array_like=True):
    places: tuple[Place, ...]
    preconditions: list[_WireCheck]
    stops: tuple[Stop, ...]


class _WirePlan(msgspec.Struct, array_like=True):
    """A plan with checks that say of which sort they are: unions of dataclasses cannot be read back."""

    revision: Revision
    method: PlanMethod
    steps: list[_WireStep]
    deferrals: tuple[tuple[ReplicaId, Deferral], ...]
    quality: PlanQuality
    shadow_prices: tuple[tuple[PoolId, int], ...]
    guidance: Guidance


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_WirePlan)


def encode_plan(plan: Plan) -> bytes:
    """The plan as one value."""
    steps = [
        _WireStep(step.places, [_wire_check(check) for check in step.preconditions], step.stops)
        for step in plan.steps
    ]
    return _encoder.encode(
        _WirePlan(
            plan.revision, plan.method, steps, plan.deferrals, plan.quality, plan.shadow_prices, plan.guidance
        )
    )


def decode_plan(encoded: bytes) -> Plan:
    """The plan that `encode_plan` wrote."""
    wire = _decoder.decode(encoded)
    return Plan(
        revision=wire.revision,
        method=wire.method,
        steps=tuple(
            Step(
                places=step.places,
                preconditions=tuple(_check(*check) for check in step.preconditions),
                stops=step.stops,
            )
            for step in wire.steps
        ),
        deferrals=wire.deferrals,
        quality=wire.quality,
        shadow_prices=wire.shadow_prices,
        guidance=wire.guidance,
    )


def _wire_check(check: Check) -> _WireCheck:
    match check:
        case IsAbsent():
            return "absent", check.key, Revision(0)
        case IsAt():
            return "at", check.key, check.version
        case IsPlannedAt():
            return "planned", check.key, check.planning_version
        case _:
            assert_never(check)


def _check(sort: str, key: Key, version: Revision) -> Check:
    if sort == "absent":
        return IsAbsent(key)
    if sort == "at":
        return IsAt(key, version)
    assert sort == "planned", sort
    return IsPlannedAt(key, version)
