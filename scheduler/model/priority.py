"""Priority classes: what work is worth, in dollars."""

from dataclasses import dataclass

from scheduler.model.ids import PriorityClassName


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityClass:
    """A class of jobs by worth and urgency.

    Attributes:
        worth_usd_micros: V, what an hour of useful work on one reference accelerator is worth at most.
        urgency_usd_micros: U, what having such an hour one hour earlier is worth.
    """

    name: PriorityClassName
    worth_usd_micros: int
    urgency_usd_micros: int

    def __post_init__(self) -> None:
        assert self.worth_usd_micros > 0, self
        assert self.urgency_usd_micros >= 0, self


DEFAULT_PRIORITY_CLASSES = (
    PriorityClass(
        name=PriorityClassName("frontier"), worth_usd_micros=100_000_000, urgency_usd_micros=10_000_000
    ),
    PriorityClass(
        name=PriorityClassName("standard"), worth_usd_micros=10_000_000, urgency_usd_micros=500_000
    ),
    PriorityClass(name=PriorityClassName("batch"), worth_usd_micros=1_000_000, urgency_usd_micros=0),
)
DEFAULT_PRIORITY_CLASS = PriorityClassName("standard")
