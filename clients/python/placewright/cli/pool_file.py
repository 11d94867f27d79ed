"""Pools of a fleet file, as operators write them for the service: money in dollars, `pools:` on top.

pools:
  - id: gcp-v5p-more
    accelerator: tpu-v5p
    provider: gcp
    region: us-east5
    market: reserved
    slice_groups: [{slices: 4, topology: 4x4x8}]
    price_usd_per_accelerator_hour: 2.15
    launcher_id: local
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from placewright.errors import FieldViolation, InvalidRequest
from placewright.plans import SupposedPool
from placewright.pools import NodeGroup, PoolSpec, SliceGroup

PRICE, LEASE = "price_usd_per_accelerator_hour", "lease_duration_seconds"
TEXTS = ("accelerator", "provider", "region", "zone", "market", "jurisdiction", "launcher_id")
REQUIRED = ("id", "accelerator", "provider", "region", "market", PRICE, "launcher_id")
RENAMED = ("price_usd_micros_per_accelerator_hour", "lease_duration")
KEYS = ("id", *(each.name for each in fields(PoolSpec) if each.name not in RENAMED), PRICE, LEASE)


class _Wrong(ValueError):
    """A field and what is wrong with it."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.violation = FieldViolation(field, what)


def read_pools(text: str, source: str) -> list[SupposedPool]:
    """The pools of a file, in its order.

    Raises:
        InvalidRequest: it is not YAML, or a pool cannot be read; names file, pool and field.
    """
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidRequest.of([FieldViolation(source, f"not YAML: {error}")]) from None
    entries = value.get("pools") if isinstance(value, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InvalidRequest.of([FieldViolation(source, "must have pools: with at least 1 item")])
    found: list[SupposedPool] = []
    faults: list[FieldViolation] = []
    for number, entry in enumerate(entries):
        try:
            found.append(_pool(entry))
        except _Wrong as error:  # noqa: PERF203  (each pool fails on its own)
            place = f"{source}: pools[{number}].{error.violation.field}"
            faults.append(FieldViolation(place, error.violation.description))
    if faults:
        raise InvalidRequest.of(faults)
    return found


def _pool(entry: object) -> SupposedPool:
    if not isinstance(entry, dict):
        raise _Wrong("", f"must be a mapping of {', '.join(KEYS)}")
    for key in entry:
        if key not in KEYS:
            raise _Wrong(str(key), f"is no field of a pool; allowed are {', '.join(KEYS)}")
    for key in REQUIRED:
        if key not in entry:
            raise _Wrong(key, "must be given")
    texts: dict[str, Any] = {"zone": "", "jurisdiction": ""}
    texts |= {key: _of(str, entry, key) for key in TEXTS if key in entry}
    spec = PoolSpec(
        **texts,
        price_usd_micros_per_accelerator_hour=_micros(entry[PRICE]),
        node_groups=[
            NodeGroup(**group) for group in _groups(entry, "node_groups", nodes=int, devices_per_node=int)
        ],
        slice_groups=[
            SliceGroup(**group) for group in _groups(entry, "slice_groups", slices=int, topology=str)
        ],
        limit_accelerators=_of(int, entry, "limit_accelerators") if "limit_accelerators" in entry else None,
        self_fencing=_of(bool, entry, "self_fencing") if "self_fencing" in entry else False,
        lease_duration=timedelta(seconds=_of(int, entry, LEASE)) if LEASE in entry else None,
    )
    return SupposedPool(pool_id=_of(str, entry, "id"), spec=spec)


def _of(kind: type[Any], entry: Mapping[str, object], key: str) -> Any:
    value = entry[key]
    if type(value) is not kind:
        raise _Wrong(key, f"must be {'text' if kind is str else kind.__name__}, got {value!r}")
    return value


def _groups(entry: Mapping[str, object], key: str, **kinds: type[Any]) -> list[dict[str, Any]]:
    groups = entry.get(key, [])
    allowed = ", ".join(kinds)
    if not isinstance(groups, list):
        raise _Wrong(key, f"must be a list of groups of {allowed}, got {groups!r}")
    for number, group in enumerate(groups):
        if not isinstance(group, dict) or group.keys() != kinds.keys():
            raise _Wrong(f"{key}[{number}]", f"must have exactly {allowed}, got {group!r}")
        for name, kind in kinds.items():
            if type(group[name]) is not kind:
                raise _Wrong(f"{key}[{number}].{name}", f"must be {kind.__name__}, got {group[name]!r}")
    return groups


def _micros(value: object) -> int:
    """Exact micro-dollars."""
    told = f"must be dollars with at most six decimals, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _Wrong(PRICE, told)
    try:
        micros = Decimal(str(value)) * 1_000_000
    except InvalidOperation:
        raise _Wrong(PRICE, told) from None
    if not micros.is_finite() or micros != int(micros) or micros < 0:
        raise _Wrong(PRICE, told)
    return int(micros)
