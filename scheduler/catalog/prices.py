"""List prices for pools: which offer of the catalogue a pool's price comes from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scheduler.catalog.load import Offer
from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import AcceleratorName
from scheduler.model.job import Market

CHOICES_MAX = 5


class NoListPrice(PlacewrightError):
    """The catalogue has no price for the pool; the message has the nearest that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceQuestion:
    """What is to be priced.

    Attributes:
        devices_per_node: of the pool's nodes; None for slices.
    """

    provider: str
    region: str
    zone: str
    accelerator: AcceleratorName
    market: Market
    devices_per_node: int | None


def list_price_usd_micros(offers: Sequence[Offer], question: PriceQuestion) -> int:
    """Micro-dollars per accelerator-hour.

    Of the region's offers with a price: those of the zone before others, then those with nodes of the
    pool's size, then those with the largest nodes, then the cheapest.

    Raises:
        NoListPrice
    """
    fitting = [offer for offer in _priced(offers, question) if offer.region == question.region]
    if not fitting:
        raise NoListPrice(_nothing_for(offers, question))
    best = min(fitting, key=lambda offer: _distance(offer, question))
    price = best.price_usd_micros(question.market)
    assert price is not None, best
    return price


def _priced(offers: Iterable[Offer], question: PriceQuestion) -> list[Offer]:
    """Offers of the provider, accelerator and market, anywhere."""
    return [
        offer
        for offer in offers
        if (offer.provider, offer.accelerator) == (question.provider, question.accelerator)
        and offer.price_usd_micros(question.market) is not None
    ]


def _distance(offer: Offer, question: PriceQuestion) -> tuple[bool, bool, int, int, str]:
    return (
        offer.zone != question.zone,
        offer.devices_per_node != question.devices_per_node,
        -offer.devices_per_node,
        offer.price_usd_micros(question.market) or 0,
        offer.instance_type,
    )


def _nothing_for(offers: Sequence[Offer], question: PriceQuestion) -> str:
    asked = f"{question.accelerator} {question.market} at {question.provider} {question.region}"
    if question.market is Market.RESERVED:
        return f"reserved capacity has no list price: say what {question.accelerator} costs by contract"
    choices = _elsewhere(offers, question) or _at_other_providers(offers, question)
    nearest = ", ".join(choices[:CHOICES_MAX]) or "none for this accelerator and market"
    return f"the catalogue has no price for {asked}: say it in dollars; the nearest it has: {nearest}"


def _elsewhere(offers: Iterable[Offer], question: PriceQuestion) -> list[str]:
    """The provider's other regions; those with the most of the region's name in common come first."""
    regions = {offer.region for offer in _priced(offers, question)}
    by_likeness = sorted(regions, key=lambda region: (-_common_prefix(region, question.region), region))
    return [f"{question.provider} {region}" for region in by_likeness]


def _common_prefix(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _at_other_providers(offers: Iterable[Offer], question: PriceQuestion) -> list[str]:
    found = {
        f"{offer.provider} {offer.region}"
        for offer in offers
        if offer.accelerator == question.accelerator and offer.price_usd_micros(question.market) is not None
    }
    return sorted(found)
