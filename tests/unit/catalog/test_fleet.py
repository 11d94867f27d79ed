"""Fleet files: what a pool may say, what its price is, and how faults are told."""

from pathlib import Path

import pytest

from scheduler.catalog.fleet import FleetPool, InvalidFleet, load_fleet
from scheduler.model.job import Market
from scheduler.model.limits import COHORT_DEPTH_MAX
from scheduler.model.pool import NodeGroup, SliceGroup
from scheduler.model.queue import COST
from tests.builders import a_cohort, a_queue, a_quota

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
    (pool,) = load_fleet(a_file(folder, a_pool_text(**fields))).pools
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


QUEUES = """\
pools: []
queues:
  - name: research
    cohort: team
    weight: 1.5
    quotas:
      - {resource: usd, nominal: 2000.25, borrowing_limit: 0}
      - {resource: h100, nominal: 64, lending_limit: 16}
  - {name: free}
cohorts:
  - {name: team, parent: lab}
  - {name: lab, quotas: [{resource: tpu-v5p, nominal: 128}]}
"""


def a_written_file(folder: Path, text: str) -> Path:
    path = folder / "fleet.yaml"
    path.write_text(text)
    return path


def test_queues_and_cohorts_come_out_as_the_file_says(tmp_path: Path) -> None:
    fleet = load_fleet(a_written_file(tmp_path, QUEUES))

    assert fleet.cohorts == (a_cohort("lab", a_quota(128, "tpu-v5p")), a_cohort("team", parent="lab"))
    quotas = (a_quota(64, lending_limit=16), a_quota(2_000_250, COST, borrowing_limit=0))
    assert fleet.queues == (
        a_queue("research", *quotas, cohort="team", weight_permille=1_500),
        a_queue("free"),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: research", "name: Research", r"fleet.yaml:3: queues\[0\].name is 'Research': "),
        ("cohort: team", "cohort: tame", r":4: queues\[0\].cohort is 'tame': must be one of .* team, lab"),
        ("weight: 1.5", "weight: 0", r":5: queues\[0\].weight is 0: must be from 0.001 to 1000"),
        ("weight: 1.5", "weight: 1.2345", r"at most three decimals"),
        ("usd,", "gold,", r":7: queues\[0\].quotas\[0\].resource is 'gold': must be one of usd, tpu-v5e, "),
        (
            "resource: h100",
            "resource: usd",
            r":8: .*quotas\[1\].resource is 'usd': quotas\[0\] has it already",
        ),
        ("nominal: 64", "nominal: 64.5", r":8: .*quotas\[1\].nominal is 64.5: must be a whole number"),
        ("nominal: 64", "nominal: -1", r"quotas\[1\].nominal is -1: must be from 0 to 1000000000"),
        ("nominal: 64", "nominal: 1000000001", r"nominal is 1000000001: must be from 0"),
        ("2000.25", "1000000.001", r"quotas\[0\].nominal is 1e\+06: must be at most 1000000 dollars"),
        (
            "{name: free}",
            "{name: research}",
            r":9: queues\[1\].name is 'research': queues\[0\] has it already",
        ),
        (
            "lab, quotas",
            "lab, parent: team, quotas",
            r":12: cohorts\[1\].parent is 'team': would put cohort lab",
        ),
        (
            "lab, quotas",
            "lab, parent: lab, quotas",
            r"cohorts\[1\].parent is 'lab': would put cohort lab above",
        ),
        ("lending_limit", "lends", r"quotas\[1\].lends is no field of a fleet file"),
    ],
)
def test_a_fault_of_a_queue_is_told_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in QUEUES
    path = a_written_file(tmp_path, QUEUES.replace(old, new))

    with pytest.raises(InvalidFleet, match=message):
        load_fleet(path)


def test_cohorts_that_lie_too_deep_are_refused(tmp_path: Path) -> None:
    cohorts = [f"  - {{name: c{n}, parent: c{n - 1}}}\n" for n in range(1, COHORT_DEPTH_MAX + 2)]
    text = "pools: []\ncohorts:\n  - {name: c0}\n" + "".join(cohorts)

    with pytest.raises(InvalidFleet, match=r":12: cohorts\[9\].parent is 'c8': lies below 8 cohorts already"):
        load_fleet(a_written_file(tmp_path, text))


def test_the_sample_fleet_has_queues_that_lend_each_other() -> None:
    fleet = load_fleet(SAMPLE)

    (cohort,) = fleet.cohorts
    assert len([queue for queue in fleet.queues if queue.cohort == cohort.name and queue.quotas]) >= 2


def test_the_sample_fleet_spans_providers_markets_and_jurisdictions() -> None:
    pools = load_fleet(SAMPLE).pools

    assert len(pools) >= 20
    assert len({pool.spec.provider for pool in pools}) >= 8
    assert {pool.spec.market for pool in pools} == set(Market)
    assert {pool.spec.jurisdiction for pool in pools} == {"us", "eu", "asia"}
    assert {pool.spec.launcher_id for pool in pools} == {"local"}
    assert any(pool.spec.self_fencing and pool.spec.lease_duration_ms == 30_000 for pool in pools)
