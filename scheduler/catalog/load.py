"""The catalogue as data files, loaded and checked whole.

Where two slice rows of an accelerator have the same topology, the one on more hosts is taken (hosts of
four chips, as all larger slices of that accelerator have), so that a topology has one meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import prod
from types import MappingProxyType

from scheduler.catalog.csv_table import InvalidCatalogue, Row, read_rows
from scheduler.model.accelerator import REFERENCE_ACCELERATOR, Accelerator, Catalogue, SliceShape
from scheduler.model.ids import AcceleratorName
from scheduler.model.job import Market

DATA = files("scheduler.catalog") / "data"

ACCELERATOR_COLUMNS = (
    "accelerator", "vendor", "memory_gib", "memory_bandwidth_gb_s", "bf16_dense_tflops",
    "scale_up_domain_devices", "devices_per_node", "source",
)  # fmt: skip
SLICE_COLUMNS = (
    "accelerator", "topology", "hosts", "chips_per_host", "provider_type", "machine_type", "source",
)  # fmt: skip
OFFER_COLUMNS = (
    "provider", "region", "zone", "instance_type", "accelerator", "devices_per_node", "nodes_per_unit",
    "on_demand_usd_per_accelerator_hour", "spot_usd_per_accelerator_hour", "source", "note",
)  # fmt: skip
EGRESS_COLUMNS = ("provider", "from_region_group", "to", "usd_per_gib", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a provider lists; prices are micro-dollars per accelerator-hour, None where not offered.

    Attributes:
        zone: empty where the provider names none.
        nodes_per_unit: hosts that come together; more than 1 for slices.
        note: what to know before trusting the row.
    """

    provider: str
    region: str
    zone: str
    instance_type: str
    accelerator: AcceleratorName
    devices_per_node: int
    nodes_per_unit: int
    on_demand_usd_micros: int | None
    spot_usd_micros: int | None
    source: str
    note: str

    def price_usd_micros(self, market: Market) -> int | None:
        """The list price; reserved capacity has none."""
        match market:
            case Market.ON_DEMAND:
                return self.on_demand_usd_micros
            case Market.SPOT:
                return self.spot_usd_micros
            case Market.RESERVED:
                return None


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressPrice:
    """What moving data out costs.

    Attributes:
        to: the destination in the provider's terms, such as "internet" or "other_continent".
    """

    provider: str
    from_region_group: str
    to: str
    usd_micros_per_gib: int
    source: str


def load_catalogue(data: Traversable = DATA) -> Catalogue:
    """Every accelerator with its slice shapes."""
    rows = list(read_rows(data / "accelerators.csv", ACCELERATOR_COLUMNS))
    tflops = {row.id("accelerator"): row.count("bf16_dense_tflops") for row in rows}
    if REFERENCE_ACCELERATOR not in tflops:
        raise InvalidCatalogue(f"accelerators.csv: {REFERENCE_ACCELERATOR} is missing: it is the reference")
    slices = _load_slices(data, tflops)
    accelerators: dict[AcceleratorName, Accelerator] = {}
    for row in rows:
        speed_permille = round(tflops[row.id("accelerator")] * 1_000 / tflops[REFERENCE_ACCELERATOR])
        accelerator = _accelerator(row, speed_permille, slices.get(row.id("accelerator"), {}))
        if accelerator.name in accelerators:
            row.fail("accelerator", "must not come twice")
        accelerators[accelerator.name] = accelerator
    return Catalogue(accelerators=MappingProxyType(accelerators))


def _accelerator(row: Row, speed_permille: int, slices: Mapping[str, SliceShape]) -> Accelerator:
    for column in ("memory_bandwidth_gb_s", "scale_up_domain_devices"):
        row.count(column)
    row.required("source")
    return Accelerator(
        name=AcceleratorName(row.id("accelerator")),
        vendor=row.required("vendor"),
        memory_gib=row.count("memory_gib"),
        speed_permille=speed_permille,
        devices_per_node=row.count("devices_per_node"),
        slices=MappingProxyType(dict(slices)),
    )


def _load_slices(data: Traversable, known: Mapping[str, int]) -> dict[str, dict[str, SliceShape]]:
    slices: dict[str, dict[str, SliceShape]] = {}
    for row in read_rows(data / "slices.csv", SLICE_COLUMNS):
        shape = SliceShape(
            topology=row.required("topology"),
            hosts=row.count("hosts"),
            chips_per_host=row.count("chips_per_host"),
        )
        _check_topology(row, shape)
        row.required("source")
        by_topology = slices.setdefault(_known_accelerator(row, known), {})
        held = by_topology.get(shape.topology)
        if held is not None and held.hosts == shape.hosts:
            row.fail("topology", "must not come twice with the same hosts")
        if held is None or held.hosts < shape.hosts:
            by_topology[shape.topology] = shape
    return slices


def _check_topology(row: Row, shape: SliceShape) -> None:
    sides = shape.topology.split("x")
    if not all(side.isascii() and side.isdigit() for side in sides):
        row.fail("topology", "must be whole numbers joined by x")
    if prod(map(int, sides)) != shape.accelerators:
        row.fail("topology", f"must multiply to hosts times chips_per_host, {shape.accelerators}")


def load_offers(data: Traversable = DATA) -> tuple[Offer, ...]:
    """Every list price, in the order of the file."""
    known = load_catalogue(data).accelerators
    offers: dict[tuple[str, ...], Offer] = {}
    for row in read_rows(data / "offers.csv", OFFER_COLUMNS):
        offer = _offer(row, known)
        key = (offer.provider, offer.region, offer.zone, offer.instance_type)
        if key in offers:
            row.fail("instance_type", f"must not come twice in {offer.region} {offer.zone}")
        offers[key] = offer
    return tuple(offers.values())


def _offer(row: Row, known: Mapping[AcceleratorName, Accelerator]) -> Offer:
    return Offer(
        provider=row.id("provider"),
        region=row.required("region"),
        zone=row.text("zone"),
        instance_type=row.required("instance_type"),
        accelerator=AcceleratorName(_known_accelerator(row, known)),
        devices_per_node=row.count("devices_per_node"),
        nodes_per_unit=row.count("nodes_per_unit"),
        on_demand_usd_micros=row.optional_price_usd_micros("on_demand_usd_per_accelerator_hour"),
        spot_usd_micros=row.optional_price_usd_micros("spot_usd_per_accelerator_hour"),
        source=row.required("source"),
        note=row.text("note"),
    )


def _known_accelerator(row: Row, known: Mapping[AcceleratorName, object] | Mapping[str, object]) -> str:
    name = row.id("accelerator")
    return name if name in known else row.fail("accelerator", f"must be one of {', '.join(sorted(known))}")


def load_egress(data: Traversable = DATA) -> tuple[EgressPrice, ...]:
    """Every egress price, in the order of the file."""
    prices: dict[tuple[str, ...], EgressPrice] = {}
    for row in read_rows(data / "egress.csv", EGRESS_COLUMNS):
        key = (row.id("provider"), row.required("from_region_group"), row.required("to"))
        if key in prices:
            row.fail("to", f"must not come twice for {key[0]} {key[1]}")
        prices[key] = EgressPrice(
            provider=key[0],
            from_region_group=key[1],
            to=key[2],
            usd_micros_per_gib=row.usd_micros("usd_per_gib"),
            source=row.required("source"),
        )
    return tuple(prices.values())
