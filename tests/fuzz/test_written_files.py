"""What people write, in any shape: job files, fleet files, sizes, places, durations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from placewright.cli.job_file import KEYS, job_of, read_documents
from placewright.errors import InvalidRequest
from placewright.strings import duration_text, parse_duration, parse_location, parse_size
from scheduler.catalog.fleet import InvalidFleet, load_fleet
from scheduler.catalog.fleet_format import (
    CohortEntry,
    NodeGroupEntry,
    PoolEntry,
    QueueEntry,
    QuotaEntry,
    SliceGroupEntry,
)
from tests.fuzz.effort import effort

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(max_size=8)
    | st.sampled_from(
        ["h100:8", "tpu-v5p:4x4x8", "h100", "6h", "1h30m", "gcp/*/*", "spot", "reserved", "train"]
    )
    | st.sampled_from(
        ["aws", "on_demand", "catalogue", "1.5", "-1", "1e9", "1e999999999", "nan", "0x1", "9" * 5000]
    )
)
values = st.recursive(
    scalars,
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=4) | scalars, inside, max_size=3)
    ),
    max_leaves=5,
)
YAML_PIECES = [
    "\n", "  ", "- ", ": ", "? ", "[", "]", "{", "}", ",", "&a ", "*a", "<<: ", "!!int ",
    "!!python/object:os ", "!!timestamp ", "!!binary ", "!!float ", "!!set ", "!!omap ", "!!pairs ",
    "---\n", "...\n", "|\n", ">\n", "'", '"', "\t", "#", "%YAML 9.9\n", "name", "command",
    "accelerators", "pools", "id", "1", "1:2", "0b", "0o9", "2024-99-99", "\x00", "\x85", "\ufeff",
    "\ud7ff", "=", "~",
]  # fmt: skip
texts = st.lists(st.sampled_from(YAML_PIECES) | st.text(max_size=3), max_size=12).map("".join)
nested = st.sampled_from(
    [
        "[" * 1_500,
        "{a: " * 1_500,
        "- " * 1_500,
        "&a [*a]",
        "pools: &a [*a]",
        "name: &a {a: *a}",
        "x: &a {y: *a}",
        "? [a]\n: b\n",
    ]
)


def mappings_of(keys: list[str]) -> st.SearchStrategy[dict[Any, Any]]:
    return st.dictionaries(st.sampled_from(keys) | st.text(max_size=3), values, max_size=len(keys))


def written(value: object) -> str:
    return yaml.safe_dump(value, allow_unicode=True)


jobs = st.fixed_dictionaries(
    {"name": st.just("a") | values, "accelerators": values, "command": values},
    optional={key: values for key in KEYS if key not in ("name", "accelerators", "command")},
)


@effort(60)
@given(text=texts | nested | values.map(written) | mappings_of(list(KEYS)).map(written) | jobs.map(written))
def test_any_job_file_gives_jobs_or_says_what_is_wrong(text: str) -> None:
    try:
        for document in read_documents(text, "job.yaml"):
            job_of(document, {})
    except InvalidRequest as error:
        faults = error.fields
    else:
        return
    assert faults
    assert all(fault.description for fault in faults)


entries = st.fixed_dictionaries(
    {
        "id": st.just("p") | values, "accelerator": st.sampled_from(["h100", "tpu-v5p"]) | values,
        "provider": st.just("aws") | values, "region": st.just("us-west-2") | values,
        "market": st.sampled_from(["reserved", "on_demand", "spot"]) | values,
        "launcher_id": st.just("l") | values, "price_usd_per_accelerator_hour": st.just("catalogue") | values,
    },
    optional={
        "node_groups": st.lists(mappings_of([*NodeGroupEntry.model_fields]), max_size=2) | values,
        "slice_groups": st.lists(mappings_of([*SliceGroupEntry.model_fields]), max_size=2) | values,
        "limit_accelerators": st.just(8) | values, "lease_duration_seconds": st.just(60) | values,
    },
)  # fmt: skip
quotas = st.lists(
    st.fixed_dictionaries(
        {
            "resource": st.sampled_from(["h100", "usd"]) | values,
            "nominal": st.sampled_from([8, "1.5"]) | values,
        },
        optional={"borrowing_limit": st.just(8) | values, "lending_limit": st.just("0.5") | values},
    )
    | mappings_of([*QuotaEntry.model_fields]),
    max_size=2,
)
names = st.sampled_from(["a", "b", "c"])
cohorts = st.fixed_dictionaries(
    {"name": names | values}, optional={"parent": names | values, "quotas": quotas | values}
)
queues = st.fixed_dictionaries(
    {"name": names | values},
    optional={"cohort": names | values, "weight": st.just("1.5") | values, "quotas": quotas | values},
)
fleets = st.fixed_dictionaries(
    {"pools": st.lists(entries | mappings_of([*PoolEntry.model_fields]), max_size=2) | values},
    optional={
        "cohorts": st.lists(cohorts | mappings_of([*CohortEntry.model_fields]), max_size=3) | values,
        "queues": st.lists(queues | mappings_of([*QueueEntry.model_fields]), max_size=3) | values,
    },
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleets") / "fleet.yaml"


@effort(40)
@given(raw=(texts | nested | values.map(written) | fleets.map(written)).map(str.encode) | st.binary())
def test_any_fleet_file_gives_pools_or_says_what_is_wrong(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)

    try:
        load_fleet(path)
    except InvalidFleet as error:
        told = str(error)
    else:
        return
    assert told.startswith(str(path))


SPOKEN = (
    st.text(max_size=20) | st.text("0123456789hdmsw.x:*/-h10tpu ²٣", max_size=30) | st.just("9" * 5000 + "h")
)


@pytest.mark.parametrize("parse", [parse_size, parse_location, parse_duration])
@effort(60)
@given(text=SPOKEN)
def test_any_string_is_parsed_or_refused_with_its_value(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        kind = type(error)
    else:
        return
    assert kind is ValueError


@effort(40)
@given(
    text=st.lists(
        st.tuples(st.integers(0, 999), st.sampled_from(["w", "d", "h", "m", "s", "ms"])), min_size=1
    )
)
def test_a_duration_comes_back_as_it_was_said(text: list[tuple[int, str]]) -> None:
    said = "".join(f"{number}{unit}" for number, unit in text)
    try:
        duration = parse_duration(said)
    except ValueError:
        assert not any(number for number, _ in text)
    else:
        assert parse_duration(duration_text(duration)) == duration
