"""Brakes: what people say must not be placed for now. What runs goes on."""

from dataclasses import dataclass

from scheduler.model.ids import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A job gets no placements until it is released."""

    reason: str
    principal: Principal
    held_at_ms: int
