"""Accelerator models and slice shapes: the types of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.model.ids import AcceleratorName

REFERENCE_ACCELERATOR = AcceleratorName("h100")


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceShape:
    """A slice that the accelerator is sold in.

    Attributes:
        topology: dimensions joined by x, as the provider spells them, such as "4x4x8".
    """

    topology: str
    hosts: int
    chips_per_host: int

    @property
    def accelerators(self) -> int:
        return self.hosts * self.chips_per_host


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One accelerator model.

    Attributes:
        speed_permille: dense bf16 rate relative to the reference accelerator.
        slices: by topology; empty for models that are not sold in slices.
    """

    name: AcceleratorName
    vendor: str
    memory_gib: int
    speed_permille: int
    devices_per_node: int
    slices: Mapping[str, SliceShape]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The facts that requests are checked against."""

    accelerators: Mapping[AcceleratorName, Accelerator]
