"""One way to satisfy a job."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Alternative:
    """One way to satisfy a job: a size string and, if known, how fast it is.

    Attributes:
        size: such as "h100:64", "h100:4x8" or "tpu-v5p:4x4x8".
        speed_permille: speed of one accelerator here, in permille of one h100; None: the catalogue's.
    """

    size: str
    speed_permille: int | None = field(default=None, kw_only=True)

    def __str__(self) -> str:
        speed = "" if self.speed_permille is None else f" at {self.speed_permille / 1000:g}x"
        return f"{self.size}{speed}"
