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
    QUOTA_UNITS_MAX,
    QUOTAS_MAX,
    WEIGHT_PERMILLE_MAX,
)
from scheduler.model.queue import WEIGHT_PERMILLE_DEFAULT

CATALOGUE = "catalogue"
MICROS = 1_000_000
PRICE_ALLOWED = (
    f'"{CATALOGUE}", or dollars from 0 to {PRICE_USD_MICROS_MAX // MICROS} with at most six decimals'
)
THOUSAND = 1_000
AMOUNT_ALLOWED = f"from 0 to {QUOTA_UNITS_MAX}, or dollars from 0 to {QUOTA_UNITS_MAX // THOUSAND} for usd"
WEIGHT_ALLOWED = f"from 0.001 to {WEIGHT_PERMILLE_MAX // THOUSAND}, with at most three decimals"

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


def _thousandths(value: object, allowed: str) -> int:
    """1000 times a number, exactly."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(allowed)
    try:
        thousandths = Decimal(value) * THOUSAND
    except InvalidOperation:
        raise ValueError(allowed) from None
    if not thousandths.is_finite() or thousandths != int(thousandths):
        raise ValueError(allowed)
    return int(thousandths)


def _amount(value: object) -> int:
    thousandths = _thousandths(value, AMOUNT_ALLOWED)
    if not 0 <= thousandths <= QUOTA_UNITS_MAX * THOUSAND:
        raise ValueError(AMOUNT_ALLOWED)
    return thousandths


def _weight(value: object) -> int:
    permille = _thousandths(value, WEIGHT_ALLOWED)
    if not 1 <= permille <= WEIGHT_PERMILLE_MAX:
        raise ValueError(WEIGHT_ALLOWED)
    return permille


Thousandths = Annotated[int, BeforeValidator(_amount)]


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


class QuotaEntry(_Entry):
    """A quota of an accelerator model, or of `usd`, in dollars an hour; amounts in thousandths."""

    resource: str
    nominal: Thousandths
    borrowing_limit: Thousandths | None = None
    lending_limit: Thousandths | None = None


Quotas = Annotated[tuple[QuotaEntry, ...], Field(max_length=QUOTAS_MAX)]


class CohortEntry(_Entry):
    """Queues and cohorts that lend each other unused quota."""

    name: Id
    parent: Id | None = None
    quotas: Quotas = ()


class QueueEntry(_Entry):
    """A team's line of jobs; the weight becomes thousandths."""

    name: Id
    cohort: Id | None = None
    weight: Annotated[int, BeforeValidator(_weight)] = WEIGHT_PERMILLE_DEFAULT
    quotas: Quotas = ()


class FleetEntry(_Entry):
    """The file."""

    pools: tuple[PoolEntry, ...]
    cohorts: tuple[CohortEntry, ...] = ()
    queues: tuple[QueueEntry, ...] = ()
