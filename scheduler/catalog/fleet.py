"""Fleet files: the pools, cohorts and queues that an operator writes down, checked whole, all faults at once.

pools:
  - id: gcp-v5p-reserved
    accelerator: tpu-v5p
    provider: gcp
    region: us-east5
    zone: us-east5-a
    market: reserved
    slice_groups: [{slices: 4, topology: 4x4x8}]
    price_usd_per_accelerator_hour: 2.15   # or "catalogue" for on_demand and spot
    jurisdiction: us
    launcher_id: local
cohorts:
  - name: lab                                # and parent: another cohort
queues:
  - name: research
    cohort: lab
    weight: 1.5                              # 1 when left out
    quotas:
      - {resource: h100, nominal: 64, borrowing_limit: 32, lending_limit: 16}
      - {resource: usd, nominal: 2000}       # dollars an hour
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from scheduler.catalog.fleet_checks import Fault, faults_of, pool_spec
from scheduler.catalog.fleet_format import FleetEntry
from scheduler.catalog.fleet_queues import cohorts_of, faults_of_queues, queues_of
from scheduler.catalog.load import load_catalogue, load_offers
from scheduler.catalog.yaml_lines import BadYaml, Document, ValuePath, parse_yaml
from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import PoolId
from scheduler.model.pool import PoolSpec
from scheduler.model.queue import Cohort, Queue


class InvalidFleet(PlacewrightError):
    """The file cannot be taken as it is; one line for each fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPool:
    """A pool as the file wants it."""

    id: PoolId
    spec: PoolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFile:
    """What a file wants there to be.

    Attributes:
        pools, queues: in the file's order.
        cohorts: each after the one that it is in.
    """

    pools: tuple[FleetPool, ...] = ()
    cohorts: tuple[Cohort, ...] = ()
    queues: tuple[Queue, ...] = ()


def load_fleet(path: Path) -> FleetFile:
    """What a file says, with prices looked up.

    Raises:
        InvalidFleet: with every fault, each as file:line: field: value and what is allowed.
    """
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except BadYaml as error:
        raise InvalidFleet(f"{path}:{error.line}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFleet(f"{path}: cannot be read: {error}") from None
    entry = _entry(path, document)
    catalogue, offers = load_catalogue(), load_offers()
    faults = [*faults_of(entry.pools, catalogue, offers), *faults_of_queues(entry, catalogue)]
    if faults:
        raise InvalidFleet(_told(path, document, faults))
    return FleetFile(
        pools=tuple(
            FleetPool(id=PoolId(pool.id), spec=pool_spec(pool, catalogue, offers)) for pool in entry.pools
        ),
        cohorts=cohorts_of(entry.cohorts),
        queues=queues_of(entry.queues),
    )


def _entry(path: Path, document: Document) -> FleetEntry:
    try:
        return FleetEntry.model_validate(document.value)
    except ValidationError as error:
        faults = [Fault(detail["loc"], _what(detail)) for detail in error.errors(include_url=False)]
        raise InvalidFleet(_told(path, document, faults)) from None


def _what(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return "is missing: it must be given"
        case "extra_forbidden":
            return "is no field of a fleet file"
        case "value_error":
            return f"is {detail['input']!r}: must be {detail['ctx']['error']}"
        case _:
            return f"is {detail['input']!r}: {detail['msg'].removeprefix('Input ')}"


def _told(path: Path, document: Document, faults: Sequence[Fault]) -> str:
    lines = {
        f"{path}:{document.line(fault.path)}: {_dotted(fault.path)} {fault.what}": None for fault in faults
    }
    return "\n".join(lines)


def _dotted(path: ValuePath) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the file"
