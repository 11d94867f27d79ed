"""Figures of queues' quotas, by queue, resource and what of it."""

from collections.abc import Callable, Iterator, MutableMapping

from scheduler.model.ids import QueueName
from scheduler.model.queue import COST
from scheduler.model.state import State
from scheduler.planning.quota_usage import quota_uses_of
from scheduler.planning.snapshot import usage_in_slices

USD = "usd_per_hour"
USD_MILLIS = 1_000


def add_quotas(
    figures: MutableMapping[tuple[str, ...], float], state: State, *, queue_label: Callable[[QueueName], str]
) -> Iterator[None]:
    """Add what is nominal, used and available of each; yields where other things may go on."""
    if not state.queues():
        return
    usage = yield from usage_in_slices(state)
    for queue, uses in quota_uses_of(state.queues(), state.cohorts(), usage).queues.items():
        for use in uses:
            resource, unit = (USD, USD_MILLIS) if use.resource == COST else (use.resource, 1)
            amounts = {"nominal": use.nominal, "used": use.used, "available": use.available}
            for what, amount in amounts.items():
                figures[queue_label(queue), resource, what] += amount / unit
