"""Contention: jobs that fill a fleet, that are worth more than those, and that may not be stopped."""

from dataclasses import replace
from random import Random

from scheduler.model.ids import PriorityClassName
from scheduler.model.job import Constraints, Inference, JobSpec

MIN_RUNTIMES_MS = (0, 0, 0, 30_000, 180_000)
PREEMPTIBLE_SHARE = 0.8


def filling(spec: JobSpec, draw: Random) -> JobSpec:
    """Batch, anywhere and for long, in many replicas."""
    return replace(
        spec,
        priority_class=PriorityClassName("batch"),
        constraints=Constraints(),
        training=None,
        inference=Inference(replicas=draw.randint(8, 24)),
        max_duration_ms=None,
    )


def worthier(spec: JobSpec, draw: Random) -> JobSpec:
    name = PriorityClassName(draw.choice(("frontier", "frontier", "standard")))
    return replace(spec, priority_class=name, constraints=Constraints())


def protected(spec: JobSpec, draw: Random) -> JobSpec:
    """Some jobs are never preempted, some not at first."""
    return replace(
        spec,
        preemptible=draw.random() < PREEMPTIBLE_SHARE,
        min_runtime_ms=draw.choice(MIN_RUNTIMES_MS),
    )
