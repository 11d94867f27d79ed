"""Panels on quotas: what queues use of their own, and beyond it."""

from collections.abc import Iterator

from deploy.dashboards.panels import About, AnyPanel, Limit, Query, bars, lines
from deploy.dashboards.promql import newest

QUEUES = 'queue=~"$queue"'
MONEY = 'resource="usd_per_hour"'
ACCELERATORS = 'resource!="usd_per_hour"'
BORROWS = (Limit(None, "green"), Limit(1, "orange"))
BY = "queue, resource"


def quotas() -> Iterator[AnyPanel]:
    used, nominal = _quota("used"), _quota("nominal")
    yield bars(
        About(
            "Quota used by queue",
            "What live runs use of the queue's own quota; above 100 % it borrows, or its quota was lowered.",
            "percentunit",
            8,
        ),
        Query(f"{used} / ({nominal} > 0)", "{{queue}} {{resource}}"),
        limits=BORROWS,
    )
    yield _against(
        About("Accelerators against quotas", "What each queue uses, and its own quota.", "short", 8),
        ACCELERATORS,
    )
    yield _against(
        About(
            "Money against quotas",
            "What each queue's runs cost an hour, and its own quota.",
            "currencyUSD",
            8,
        ),
        MONEY,
    )


def _against(about: About, resources: str) -> AnyPanel:
    return lines(
        about,
        Query(_quota("used", resources), "{{queue}} {{resource}} used"),
        Query(_quota("nominal", resources), "{{queue}} {{resource}} quota"),
    )


def _quota(what: str, resources: str = "") -> str:
    chosen = [f'what="{what}"', QUEUES, *filter(None, [resources])]
    return newest("queue_quota", ", ".join(chosen), by=BY)
