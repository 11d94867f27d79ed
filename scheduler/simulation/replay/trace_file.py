"""Traces of jobs: our own format as CSV or JSON lines, and the Philly jobs as published.

A row has the fields of `FIELDS`. `accelerators` names the ways to satisfy the job, `|` between them:
`h100:8` (one task with 8), `h100:4x8` (4 tasks with 8 each), `tpu-v5p/4x4x4` (a slice).
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from scheduler.model.accelerator import Accelerator, Catalogue
from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import AcceleratorName, PriorityClassName, QueueName
from scheduler.model.job import Alternative, JobSpec, TaskGroup, Training
from scheduler.model.priority import DEFAULT_PRIORITY_CLASSES
from scheduler.simulation.world import SECOND_MS, PlannedJob, Work

FIELDS = ("submitted_at", "name", "queue", "priority_class", "accelerators", "duration")
PHILLY_FIELDS = ("timestamp", "duration", "num_gpus", "cluster")
PHILLY_WAYS = ("a100-80gb", "h100")
DEVICES_PER_NODE = 8
GRACE_PERIOD_MS = 30 * SECOND_MS

Row = Mapping[str, object]


class BadTrace(PlacewrightError):
    """A row cannot be used; says where, and what is allowed."""


def read_trace(path: Path, catalogue: Catalogue, *, jobs_max: int | None) -> tuple[PlannedJob, ...]:
    """The first `jobs_max` jobs of a trace in the order of their submission, the first of them at 0.

    Raises:
        BadTrace
    """
    planned = []
    for number, row in enumerate(_rows(path), start=1):
        try:
            planned.append(_job_of(row, catalogue))
        except (KeyError, ValueError, TypeError) as error:
            raise BadTrace(f"{path}: job {number}: {error}") from None
    planned.sort(key=lambda job: job[0])
    chosen = planned[:jobs_max]
    if not chosen:
        raise BadTrace(f"{path}: must have at least one job")
    return tuple(make(number, at_s - chosen[0][0]) for number, (at_s, make) in enumerate(chosen))


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            if path.suffix == ".jsonl":
                yield from map(json.loads, filter(str.strip, file))
                return
            reader = csv.DictReader(file)
            if set(PHILLY_FIELDS) <= set(reader.fieldnames or ()):
                yield from map(_from_philly, reader)
                return
            yield from reader
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadTrace(f"{path}: cannot be read: {error}") from None


def _from_philly(row: Mapping[str, str]) -> Row:
    """A job of the Philly cluster; its GPUs, older than any of ours, become an `a100-80gb` or `h100` each."""
    devices = int(row["num_gpus"])
    whole, rest = divmod(devices, DEVICES_PER_NODE)
    shape = f"{whole}x{DEVICES_PER_NODE}" if whole and not rest else f"1x{devices}"
    if whole and rest:
        shape = f"{devices}x1"
    return {
        "submitted_at": datetime.fromisoformat(row["timestamp"] + "+00:00").timestamp(),
        "name": "philly",
        "queue": f"team-{row['cluster']}",
        "priority_class": "standard",
        "accelerators": "|".join(f"{name}:{shape}" for name in PHILLY_WAYS),
        "duration": row["duration"],
    }


def _job_of(row: Row, catalogue: Catalogue) -> tuple[float, Callable[[int, float], PlannedJob]]:
    missing = [field for field in FIELDS if row.get(field) in (None, "")]
    if missing:
        raise ValueError(f"{', '.join(missing)}: must be given")
    classes = [priority_class.name for priority_class in DEFAULT_PRIORITY_CLASSES]
    if row["priority_class"] not in classes:
        raise ValueError(f"priority_class must be one of {', '.join(classes)}, got {row['priority_class']!r}")
    submitted_at_s = _number(row, "submitted_at")
    duration_ms = max(1, round(_number(row, "duration") * SECOND_MS))
    ways = tuple(_way(each, catalogue) for each in str(row["accelerators"]).split("|"))

    def make(number: int, at_s: float) -> PlannedJob:
        spec = JobSpec(
            name=f"{row['name']}-{number}",
            queue=QueueName(str(row["queue"])),
            priority_class=PriorityClassName(str(row["priority_class"])),
            alternatives=ways,
            training=Training(estimated_duration_ms=duration_ms),
            grace_period_ms=GRACE_PERIOD_MS,
        )
        work = Work(starting_ms=0, duration_ms=duration_ms, user_error_permille=0)
        return PlannedJob(submit_at_ms=round(at_s * SECOND_MS), cancel_after_ms=None, spec=spec, work=work)

    return submitted_at_s, make


def _number(row: Row, field: str) -> float:
    value = float(str(row[field]))
    if not 0 <= value < float("inf"):
        raise ValueError(f"{field} must be seconds, not negative, got {row[field]!r}")
    return value


def _way(text: str, catalogue: Catalogue) -> Alternative:
    name, is_slice, topology = text.partition("/")
    name, _, size = name.partition(":")
    accelerator = catalogue.accelerators.get(AcceleratorName(name))
    if accelerator is None:
        allowed = ", ".join(sorted(catalogue.accelerators))
        raise ValueError(f"accelerators must be of {allowed}, got {text!r}")
    group = _slice(accelerator, topology) if is_slice else _gang(size, text)
    return Alternative(
        accelerator=accelerator.name,
        task_groups=(group,),
        slice_topology=topology or None,
        speed_permille=accelerator.speed_permille,
    )


def _slice(accelerator: Accelerator, topology: str) -> TaskGroup:
    shape = accelerator.slices.get(topology)
    if shape is None:
        allowed = ", ".join(accelerator.slices) or "none"
        raise ValueError(f"slices of {accelerator.name} must be one of {allowed}, got {topology!r}")
    return TaskGroup(tasks=shape.hosts, devices_per_task=shape.chips_per_host)


def _gang(size: str, text: str) -> TaskGroup:
    tasks, times, devices = size.rpartition("x")
    counts = (tasks if times else "1", devices)
    if not all(count.isdecimal() and int(count) for count in counts):
        raise ValueError(f"accelerators must be like h100:8, h100:4x8 or tpu-v5p/4x4x4, got {text!r}")
    return TaskGroup(tasks=int(counts[0]), devices_per_task=int(counts[1]))
