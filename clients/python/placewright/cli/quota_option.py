"""Quotas and weights as people type them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from placewright.queues import Quota

USD = "usd"
RULE = (
    "must be like h100=64 or h100=64,borrow=32,lend=16 (accelerators), "
    "or usd=2000 (dollars an hour, at most three decimals)"
)
WEIGHT_RULE = "must be a number from 0.001 to 1000, with at most three decimals"
LIMITS = {"borrow": "borrowing_limit", "lend": "lending_limit"}


def quotas_of(texts: Sequence[str]) -> list[Quota]:
    return [quota_of(text) for text in texts]


def quota_of(text: str) -> Quota:
    """The quota that is typed so.

    Raises:
        typer.BadParameter
    """
    from placewright.queues import Quota
    from placewright.reasons import COST

    parts = [part.partition("=")[::2] for part in text.split(",")]
    (resource, nominal), limits = parts[0], parts[1:]
    names = [name for name, _ in limits]
    if not resource or not set(names) <= LIMITS.keys() or len(set(names)) < len(names):
        raise typer.BadParameter(f"--quota {text!r}: {RULE}")
    in_dollars = resource == USD
    amounts = {LIMITS[name]: _amount(text, value, in_dollars) for name, value in limits}
    return Quota(
        resource=COST if in_dollars else resource, nominal=_amount(text, nominal, in_dollars), **amounts
    )


def _amount(text: str, value: str, in_dollars: bool) -> int:
    units = _thousandths(value) if in_dollars else int(value) if value.isdecimal() else None
    if units is None:
        raise typer.BadParameter(f"--quota {text!r}: {RULE}")
    return units


def weight_permille_of(text: str) -> int:
    """A weight in thousandths.

    Raises:
        typer.BadParameter
    """
    permille = _thousandths(text)
    if permille is None or not 1 <= permille <= 1_000_000:
        raise typer.BadParameter(f"--weight {text!r}: {WEIGHT_RULE}")
    return permille


def _thousandths(text: str) -> int | None:
    """1000 times the number; None if it is none, below 0 or not that exact."""
    try:
        number = Decimal(text) * 1_000
    except InvalidOperation:
        return None
    return int(number) if number.is_finite() and number >= 0 and number == int(number) else None
