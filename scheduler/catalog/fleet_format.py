"""The fleet file's format: what each field may hold. What fields mean together is in `fleet_checks`."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from scheduler.model.ids import ID_PATTERN
from scheduler.model.job import Market
from scheduler.model.limits import (
    ACCELERATORS_PER_REPLICA_MAX,
    DEVICES_PER_TASK_MAX,
    LEASE_DURATION_MS_DEFAULT,
    LEASE_DURATION_MS_MAX,
    LEASE_DURATION_MS_MIN,
    LOCATION_LENGTH_MAX,
    NODES_PER_POOL_MAX,
    PRICE_USD_MICROS_MAX,
)

CATALOGUE = "catalogue"
MICROS = 1_000_000
PRICE_ALLOWED = (
    f'"{CATALOGUE}", or dollars from 0 to {PRICE_USD_MICROS_MAX // MICROS} with at most six decimals'
)

Id = Annotated[str, StringConstraints(pattern=rf"^{ID_PATTERN.pattern}$")]
OptionalId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,63}$")]
Place = Annotated[str, StringConstraints(max_length=LOCATION_LENGTH_MAX)]
Count = Annotated[int, Field(ge=1, strict=True)]


def _price(value: object) -> object:
    """The word "catalogue", or exact micro-dollars."""
    if value == CATALOGUE:
        return CATALOGUE
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(PRICE_ALLOWED)
    try:
        micros = Decimal(value) * MICROS
    except InvalidOperation:
        raise ValueError(PRICE_ALLOWED) from None
    if not micros.is_finite() or micros != int(micros) or not 0 <= micros <= PRICE_USD_MICROS_MAX:
        raise ValueError(PRICE_ALLOWED)
    return int(micros)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeGroupEntry(_Entry):
    nodes: Annotated[Count, Field(le=NODES_PER_POOL_MAX)]
    devices_per_node: Annotated[Count, Field(le=DEVICES_PER_TASK_MAX)]


class SliceGroupEntry(_Entry):
    slices: Annotated[Count, Field(le=NODES_PER_POOL_MAX)]
    topology: str


class PoolEntry(_Entry):
    """One pool of the file; the fields are those of the API's PoolSpec, with money in dollars."""

    id: Id
    accelerator: str
    provider: Id
    region: Place
    zone: Place = ""
    market: Market
    node_groups: tuple[NodeGroupEntry, ...] = ()
    slice_groups: tuple[SliceGroupEntry, ...] = ()
    limit_accelerators: Annotated[Count, Field(le=ACCELERATORS_PER_REPLICA_MAX)] | None = None
    price_usd_per_accelerator_hour: Annotated[Literal["catalogue"] | int, BeforeValidator(_price)]
    jurisdiction: OptionalId = ""
    launcher_id: Id
    self_fencing: Annotated[bool, Field(strict=True)] = False
    lease_duration_seconds: Annotated[
        int, Field(strict=True, ge=LEASE_DURATION_MS_MIN // 1_000, le=LEASE_DURATION_MS_MAX // 1_000)
    ] = LEASE_DURATION_MS_DEFAULT // 1_000


class FleetEntry(_Entry):
    """The file."""

    pools: tuple[PoolEntry, ...]
