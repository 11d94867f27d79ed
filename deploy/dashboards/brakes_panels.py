"""Panels on brakes: what people keep from being placed."""

from collections.abc import Iterator

from deploy.dashboards.panels import About, AnyPanel, Query, stacked
from deploy.dashboards.promql import POOLS, newest


def brakes() -> Iterator[AnyPanel]:
    yield stacked(
        About("Freezes", "Freezes of planning and holds of queues that stand, by scope.", "short", 8),
        Query(newest("frozen", "", by="scope"), "{{scope}}"),
    )
    yield stacked(
        About(
            "Held back by people",
            "Waiting replicas that are held, that are frozen, or whose pinned pool has no room.",
            "short",
            8,
        ),
        Query(newest("deferred_replicas", 'reason=~"held|frozen|pinned"', by="reason"), "{{reason}}"),
    )
    yield stacked(
        About("Cordoned nodes", "Nodes or slices that take nothing new, by pool.", "short", 8),
        Query(newest("pool_nodes_cordoned", POOLS, by="pool"), "{{pool}}"),
    )
