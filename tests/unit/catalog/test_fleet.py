"""Fleet files: what a pool may say, what its price is, and how faults are told."""

from pathlib import Path

import pytest

from scheduler.catalog.fleet import FleetPool, InvalidFleet, load_fleet
from scheduler.model.job import Market
from scheduler.model.pool import NodeGroup, SliceGroup

SAMPLE = Path(__file__).parents[3] / "deploy/fleets/sample.yaml"


def a_file(folder: Path, *pools: str) -> Path:
    """A fleet file with these pools, each the inside of a flow mapping, from line 2 on."""
    path = folder / "fleet.yaml"
    path.write_text("pools:\n" + "".join(f"  - {{{pool}}}\n" for pool in pools))
    return path


def a_pool_text(**fields: str | None) -> str:
    """A rented pool of two H100 nodes at a catalogue price; None leaves a field out."""
    defaults = {
        "id": "p",
        "accelerator": "h100",
        "provider": "aws",
        "region": "us-west-2",
        "market": "on_demand",
        "node_groups": "[{nodes: 2, devices_per_node: 8}]",
        "limit_accelerators": "16",
        "price_usd_per_accelerator_hour": "catalogue",
        "launcher_id": "local",
    }
    given = {name: value for name, value in {**defaults, **fields}.items() if value is not None}
    return ", ".join(f"{name}: {value}" for name, value in given.items())


def the_pool(folder: Path, **fields: str | None) -> FleetPool:
    (pool,) = load_fleet(a_file(folder, a_pool_text(**fields)))
    return pool


def test_a_pool_comes_out_as_its_file_says(tmp_path: Path) -> None:
    pool = the_pool(tmp_path, self_fencing="true", lease_duration_seconds="30", jurisdiction="us", zone="z")

    assert pool.id == "p"
    assert pool.spec.node_groups == (NodeGroup(nodes=2, devices_per_node=8),)
    assert (pool.spec.market, pool.spec.limit_accelerators) == (Market.ON_DEMAND, 16)
    assert (pool.spec.self_fencing, pool.spec.lease_duration_ms) == (True, 30_000)
    assert (pool.spec.jurisdiction, pool.spec.zone, pool.spec.launcher_id) == ("us", "z", "local")


def test_a_slice_group_takes_its_size_from_the_catalogue(tmp_path: Path) -> None:
    pool = the_pool(
        tmp_path,
        accelerator="tpu-v5p",
        market="reserved",
        node_groups=None,
        limit_accelerators=None,
        slice_groups="[{slices: 3, topology: 4x4x8}]",
        price_usd_per_accelerator_hour="2",
    )

    assert pool.spec.slice_groups == (SliceGroup(slices=3, topology="4x4x8", accelerators_per_slice=128),)


@pytest.mark.parametrize(("written", "usd_micros"), [("2.35", 2_350_000), ("0.000001", 1), ("7", 7_000_000)])
def test_a_price_in_dollars_is_exact(tmp_path: Path, written: str, usd_micros: int) -> None:
    pool = the_pool(tmp_path, price_usd_per_accelerator_hour=written)

    assert pool.spec.price_usd_micros_per_accelerator_hour == usd_micros


@pytest.mark.parametrize(
    ("fields", "usd_micros"),
    [
        pytest.param({"provider": "lambda", "region": "us-east-1"}, 3_990_000, id="nodes_of_the_same_size"),
        pytest.param(
            {"provider": "lambda", "region": "us-east-1", "node_groups": "[{nodes: 8, devices_per_node: 1}]"},
            3_290_000,
            id="single_devices_when_the_nodes_have_one",
        ),
        pytest.param({"market": "spot", "zone": "usw2-az1"}, 2_702_860, id="the_zone_itself"),
        pytest.param(
            {
                "provider": "gcp", "region": "us-east5", "zone": "us-east5-a", "accelerator": "tpu-v5p",
                "node_groups": None,
            },
            4_200_000,
            id="slices",
        ),
    ],
)  # fmt: skip
def test_a_catalogue_price_is_that_of_the_nearest_offer(
    tmp_path: Path, fields: dict[str, str | None], usd_micros: int
) -> None:
    pool = the_pool(tmp_path, **fields)

    assert pool.spec.price_usd_micros_per_accelerator_hour == usd_micros


BOTH = {"slice_groups": "[{slices: 1, topology: 4x4}]"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": "P_1"}, r"fleet.yaml:2: pools\[0\].id is 'P_1': "),
        ({"accelerator": "h101"}, r"pools\[0\].accelerator is 'h101': must be one of tpu-v5e, "),
        ({"market": "spott"}, r"market is 'spott': should be 'reserved', 'on_demand' or 'spot'"),
        ({"colour": "red"}, r"pools\[0\].colour is no field of a fleet file"),
        ({"launcher_id": None}, r"pools\[0\].launcher_id is missing"),
        ({"self_fencing": '"yes"'}, r"self_fencing is 'yes': should be a valid boolean"),
        ({"lease_duration_seconds": "0"}, r"lease_duration_seconds is 0: should be greater than"),
        ({"limit_accelerators": None}, r"has no limit_accelerators: a pool in on_demand must say its quota"),
        ({"market": "reserved"}, r"limit_accelerators is given: a reserved pool's limit is what it has"),
        ({"node_groups": None}, r"has neither node_groups nor slice_groups"),
        ({"node_groups": "[{nodes: 0, devices_per_node: 8}]"}, r"node_groups\[0\].nodes is 0: "),
        ({"accelerator": "tpu-v5e", **BOTH}, r"slice_groups is given with node_groups"),
        (BOTH, r"topology is '4x4': must be one of nothing: h100 is not sold in slices"),
        ({"price_usd_per_accelerator_hour": "-1"}, r"is -1: must be \"catalogue\", or dollars from 0 to"),
        ({"price_usd_per_accelerator_hour": "1.0000001"}, r"is '1.0000001': must be"),
        ({"price_usd_per_accelerator_hour": "cheap"}, r"is 'cheap': must be"),
        ({"region": "us-west-9"}, r"h100 on_demand at aws us-west-9.* aws us-west-1, aws us-west-2"),
        ({"provider": "mine", "accelerator": "mi300x"}, r"the nearest it has: oci eu-madrid-1, oci us"),
        ({"accelerator": "trainium2"}, r"the nearest it has: none for this accelerator and market"),
        ({"market": "reserved", "limit_accelerators": None}, r"reserved capacity has no list price"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_what_is_allowed(
    tmp_path: Path, fields: dict[str, str | None], message: str
) -> None:
    with pytest.raises(InvalidFleet, match=message):
        the_pool(tmp_path, **fields)


def test_all_faults_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    path = a_file(tmp_path, a_pool_text(), a_pool_text(), a_pool_text(id="q", accelerator="x"))

    with pytest.raises(InvalidFleet) as raised:
        load_fleet(path)

    first, second = str(raised.value).splitlines()
    assert first == f"{path}:3: pools[1].id is 'p': pools[0] has it already"
    assert second.startswith(f"{path}:4: pools[2].accelerator is 'x': must be one of ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pools: [\n", r"fleet.yaml:2: "),
        ("pools: []\npools: []\n", r"fleet.yaml:2: 'pools' comes twice"),
        ("\npools: !!int x\n", r"fleet.yaml:2: a value below is none: invalid literal"),
        ("\npools: &pools [*pools]\n", r"fleet.yaml:1: it is nested too deeply, or within itself"),
        ("pools:\n  \x07\n", r"fleet.yaml:2: .*control characters"),
        ("", r"fleet.yaml:1: the file is None"),
        ("pool: []\n", r"fleet.yaml:1: pool is no field of a fleet file"),
    ],
)
def test_what_is_no_fleet_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(text)

    with pytest.raises(InvalidFleet, match=message):
        load_fleet(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidFleet, match="cannot be read"):
        load_fleet(tmp_path / "none.yaml")


def test_the_sample_fleet_spans_providers_markets_and_jurisdictions() -> None:
    pools = load_fleet(SAMPLE)

    assert len(pools) >= 20
    assert len({pool.spec.provider for pool in pools}) >= 8
    assert {pool.spec.market for pool in pools} == set(Market)
    assert {pool.spec.jurisdiction for pool in pools} == {"us", "eu", "asia"}
    assert {pool.spec.launcher_id for pool in pools} == {"local"}
    assert any(pool.spec.self_fencing and pool.spec.lease_duration_ms == 30_000 for pool in pools)
