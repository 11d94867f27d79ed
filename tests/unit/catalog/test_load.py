"""The catalogue's facts hold together, and a wrong cell is named."""

import shutil
from collections.abc import Callable
from importlib.resources import as_file
from math import prod
from pathlib import Path

import pytest

from scheduler.catalog.csv_table import InvalidCatalogue
from scheduler.catalog.load import DATA, load_catalogue, load_egress, load_offers
from scheduler.model.accelerator import REFERENCE_ACCELERATOR, SliceShape
from scheduler.model.ids import AcceleratorName, is_id
from scheduler.model.job import Market


def test_every_accelerator_has_a_valid_name_and_a_speed() -> None:
    accelerators = load_catalogue().accelerators

    assert all(is_id(name) and name == a.name for name, a in accelerators.items())
    assert all(a.speed_permille >= 1 for a in accelerators.values())
    assert accelerators[REFERENCE_ACCELERATOR].speed_permille == 1000


@pytest.mark.parametrize(
    ("name", "speed_permille", "devices_per_node"),
    [
        ("h100", 1000, 8), ("h200", 1000, 8), ("b200", 2275, 8), ("a100", 315, 8), ("a100-80gb", 315, 8),
        ("mi300x", 1322, 8), ("trainium", 192, 16), ("trainium2", 674, 16), ("tpu-v5e", 199, 4),
        ("tpu-v5p", 464, 4), ("tpu-v6e", 928, 4),
    ],
)  # fmt: skip
def test_speed_is_the_dense_bf16_rate_relative_to_the_reference(
    name: str, speed_permille: int, devices_per_node: int
) -> None:
    accelerator = load_catalogue().accelerators[AcceleratorName(name)]

    assert (accelerator.speed_permille, accelerator.devices_per_node) == (speed_permille, devices_per_node)


def test_a_slice_has_as_many_chips_as_its_topology_says() -> None:
    shapes = [shape for a in load_catalogue().accelerators.values() for shape in a.slices.values()]

    assert len(shapes) == 110
    assert all(prod(map(int, shape.topology.split("x"))) == shape.accelerators for shape in shapes)


@pytest.mark.parametrize("name", ["tpu-v5e", "tpu-v6e"])
def test_of_two_rows_with_one_topology_the_one_on_more_hosts_counts(name: str) -> None:
    slices = load_catalogue().accelerators[AcceleratorName(name)].slices

    assert slices["2x4"] == SliceShape(topology="2x4", hosts=2, chips_per_host=4)


def test_every_offer_has_a_source_and_none_comes_twice() -> None:
    offers = load_offers()

    names = {(o.provider, o.region, o.zone, o.instance_type) for o in offers}
    assert len(names) == len(offers) == 375
    assert all(offer.source and is_id(offer.provider) and offer.region for offer in offers)


def test_an_offer_is_of_a_known_accelerator_and_has_a_price_in_some_market() -> None:
    accelerators = load_catalogue().accelerators

    for offer in load_offers():
        assert offer.accelerator in accelerators, offer
        assert any(offer.price_usd_micros(market) for market in Market), offer
        assert offer.price_usd_micros(Market.RESERVED) is None, offer


def test_spot_is_never_dearer_than_on_demand() -> None:
    for offer in load_offers():
        if offer.on_demand_usd_micros is not None and offer.spot_usd_micros is not None:
            assert offer.spot_usd_micros <= offer.on_demand_usd_micros, offer


def test_egress_prices_have_sources() -> None:
    prices = load_egress()

    assert len(prices) == 33
    assert all(price.source and price.usd_micros_per_gib >= 0 for price in prices)


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """A copy of the data with one replacement in one file."""

    def edit(file: str, old: str, new: str) -> Path:
        with as_file(DATA) as data:
            shutil.copytree(data, tmp_path / "data")
        path = tmp_path / "data" / file
        text = path.read_text()
        assert old in text, old
        path.write_text(text.replace(old, new, 1))
        return tmp_path / "data"

    return edit


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("accelerators.csv", "tpu-v5e,Google,16", "tpu-v5e,Google,x", r"ators.csv:2: memory_gib is 'x'"),
        ("accelerators.csv", "tpu-v5e,", "TPU,", r"accelerator is 'TPU': must be \[a-z0-9-\]"),
        ("accelerators.csv", "h200,NVIDIA", "h100,NVIDIA", r":12: accelerator is 'h100': must not come"),
        ("accelerators.csv", "h100,NVIDIA", "h1000,NVIDIA", "h100 is missing"),
        ("accelerators.csv", "vendor", "maker", r"accelerators.csv:1: the columns are"),
        ("slices.csv", "tpu-v5e,1x1", "tpu-v5e,1x2", r"slices.csv:2: topology is '1x2': must multiply to"),
        ("slices.csv", "tpu-v5e,1x1", "tpu-v9,1x1", r"accelerator is 'tpu-v9': must be one of"),
        ("slices.csv", "tpu-v5e,1x1", "tpu-v5e,axb", r"topology is 'axb': must be whole numbers"),
        ("offers.csv", ",3.76223,", ",-1,", r"offers.csv:2: on_demand_usd_per_accelerator_hour is '-1'"),
        ("offers.csv", ",3.76223,", ",0,", r"must be above 0, or empty"),
        ("offers.csv", ",3.76223,", ",nan,", r"is 'nan': must be dollars"),
        ("offers.csv", ",3.76223,", ",3.7622345,", r"at most six decimals"),
        ("offers.csv", ",3.76223,", ",", r"offers.csv:2: there are 10 cells"),
        ("egress.csv", "aws,us_eu,internet,0.09", "aws,us_eu,other_cloud,0.09", r"to is 'other_cloud'"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_refused_with_its_place_and_what_is_allowed(
    edited: Callable[[str, str, str], Path], file: str, old: str, new: str, message: str
) -> None:
    data = edited(file, old, new)

    with pytest.raises(InvalidCatalogue, match=message):
        (load_catalogue(data), load_offers(data), load_egress(data))
