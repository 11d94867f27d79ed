"""What the fields of a fleet file mean together and against the catalogue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scheduler.catalog.fleet_format import CATALOGUE, PoolEntry
from scheduler.catalog.load import Offer
from scheduler.catalog.prices import NoListPrice, PriceQuestion, list_price_usd_micros
from scheduler.catalog.yaml_lines import ValuePath
from scheduler.model.accelerator import Accelerator, Catalogue
from scheduler.model.ids import AcceleratorName, LauncherId
from scheduler.model.job import Market
from scheduler.model.pool import NodeGroup, PoolSpec, SliceGroup


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one value; `what` says the value and what is allowed."""

    path: ValuePath
    what: str


def faults_of(entries: Sequence[PoolEntry], catalogue: Catalogue, offers: Sequence[Offer]) -> Iterator[Fault]:
    """What is wrong with fields together, with the catalogue, and between pools."""
    first: dict[str, int] = {}
    for index, entry in enumerate(entries):
        at: ValuePath = ("pools", index)
        if first.setdefault(entry.id, index) != index:
            yield Fault((*at, "id"), f"is {entry.id!r}: pools[{first[entry.id]}] has it already")
        accelerator = catalogue.accelerators.get(AcceleratorName(entry.accelerator))
        if accelerator is None:
            allowed = ", ".join(catalogue.accelerators)
            yield Fault((*at, "accelerator"), f"is {entry.accelerator!r}: must be one of {allowed}")
            continue
        yield from _capacity_faults(entry, accelerator, at)
        yield from _price_faults(entry, offers, at)


def _capacity_faults(entry: PoolEntry, accelerator: Accelerator, at: ValuePath) -> Iterator[Fault]:
    is_rented = entry.market is not Market.RESERVED
    if entry.node_groups and entry.slice_groups:
        yield Fault((*at, "slice_groups"), "is given with node_groups: a pool has one or the other")
    if is_rented and entry.limit_accelerators is None:
        yield Fault(at, f"has no limit_accelerators: a pool in {entry.market} must say its quota")
    if not is_rented and entry.limit_accelerators is not None:
        yield Fault((*at, "limit_accelerators"), "is given: a reserved pool's limit is what it has")
    if not entry.node_groups and not entry.slice_groups and not (is_rented and accelerator.slices):
        yield Fault(
            at,
            "has neither node_groups nor slice_groups: only a rented pool of an accelerator sold in slices "
            "goes without",
        )
    for index, group in enumerate(entry.slice_groups):
        if group.topology not in accelerator.slices:
            shapes = ", ".join(accelerator.slices) or f"nothing: {accelerator.name} is not sold in slices"
            path = (*at, "slice_groups", index, "topology")
            yield Fault(path, f"is {group.topology!r}: must be one of {shapes}")


def _price_faults(entry: PoolEntry, offers: Sequence[Offer], at: ValuePath) -> Iterator[Fault]:
    try:
        _price_usd_micros(entry, offers)
    except NoListPrice as error:
        yield Fault((*at, "price_usd_per_accelerator_hour"), f"is {CATALOGUE!r}: {error}")


def _price_usd_micros(entry: PoolEntry, offers: Sequence[Offer]) -> int:
    if isinstance(entry.price_usd_per_accelerator_hour, int):
        return entry.price_usd_per_accelerator_hour
    question = PriceQuestion(
        provider=entry.provider,
        region=entry.region,
        zone=entry.zone,
        accelerator=AcceleratorName(entry.accelerator),
        market=entry.market,
        devices_per_node=entry.node_groups[0].devices_per_node if entry.node_groups else None,
    )
    return list_price_usd_micros(offers, question)


def pool_spec(entry: PoolEntry, catalogue: Catalogue, offers: Sequence[Offer]) -> PoolSpec:
    """The spec that an entry without faults means."""
    name = AcceleratorName(entry.accelerator)
    slices = catalogue.accelerators[name].slices
    return PoolSpec(
        accelerator=name,
        provider=entry.provider,
        region=entry.region,
        zone=entry.zone,
        market=entry.market,
        node_groups=tuple(
            NodeGroup(nodes=group.nodes, devices_per_node=group.devices_per_node)
            for group in entry.node_groups
        ),
        slice_groups=tuple(
            SliceGroup(
                slices=group.slices,
                topology=group.topology,
                accelerators_per_slice=slices[group.topology].accelerators,
            )
            for group in entry.slice_groups
        ),
        limit_accelerators=entry.limit_accelerators,
        price_usd_micros_per_accelerator_hour=_price_usd_micros(entry, offers),
        jurisdiction=entry.jurisdiction,
        launcher_id=LauncherId(entry.launcher_id),
        self_fencing=entry.self_fencing,
        lease_duration_ms=entry.lease_duration_seconds * 1_000,
    )
