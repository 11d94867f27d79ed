"""State series: gauges that follow from the state, replaced all at once so that no scrape sees half."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from scheduler.model.ids import PriorityClassName, QueueName
from scheduler.model.state import State
from scheduler.telemetry.state_figures import Samples, samples_in_slices

PREFIX = "placewright_"
QUEUES_MAX = 200
OTHER_QUEUES = "_other"  # no queue can be called this
DEFAULT_QUEUE = "default"
LINE = ("queue", "priority_class")
POOL = ("pool", "accelerator", "provider", "market")


@dataclass(frozen=True, slots=True)
class StateGauge:
    """One declared series."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""


STATE_GAUGES = (
    StateGauge("jobs", "Jobs by phase; finished ones until they are forgotten.", ("phase",)),
    StateGauge("replicas", "Replicas that are not done, by state and line.", ("state", *LINE)),
    StateGauge(
        "waiting_accelerators", "Accelerators that waiting replicas ask for, by their smallest way.", LINE
    ),
    StateGauge("oldest_wait_seconds", "How long the replica that waits longest has waited.", LINE, "seconds"),
    StateGauge("deferred_replicas", "Waiting replicas by the reason of the newest cycle.", ("reason",)),
    StateGauge("runs", "Runs that have not ended, by pool and state.", ("pool", "state")),
    StateGauge("pool_accelerators", "Accelerators that may be used, after limits and lost nodes.", POOL),
    StateGauge("pool_accelerators_used", "Accelerators of live runs.", POOL),
    StateGauge("pool_accelerators_free", "Accelerators that may be used and are not.", POOL),
    StateGauge(
        "pool_accelerators_believed_free",
        "Accelerators that a rented pool's provider is believed to have beyond what runs.",
        POOL,
    ),
    StateGauge("pool_open", "1 while something new may be placed on the pool, else 0.", POOL),
    StateGauge("pool_nodes_cordoned", "Cordoned nodes or slices, which take nothing new.", POOL),
    StateGauge(
        "pool_price_usd_per_accelerator_hour",
        "What one accelerator is charged.",
        POOL,
        "usd_per_accelerator_hour",
    ),
    StateGauge(
        "pool_shadow_price_usd_per_accelerator_hour",
        "What one more accelerator would be worth, smoothed over cycles; 0 where none is missing.",
        POOL,
        "usd_per_accelerator_hour",
    ),
    StateGauge(
        "pool_cost_usd_per_hour",
        "What the pool costs now: for what runs, and for reserved capacity that lies idle.",
        (*POOL, "use"),
        "usd_per_hour",
    ),
    StateGauge(
        "pool_jumps_unconfirmed",
        "1 while the pool's price or capacity jumps and no operator has confirmed it, else 0.",
        ("pool", "what"),
    ),
    StateGauge(
        "queue_quota",
        "Quotas of queues in accelerators, or dollars an hour: what is nominal, used, still available.",
        ("queue", "resource", "what"),
    ),
    StateGauge("frozen", "Freezes of planning by scope; what they cover gets nothing new.", ("scope",)),
    StateGauge("launcher_sessions", "The newest session of each launcher, by state.", ("state",)),
)


class StateSeries(Collector):
    """The declared gauges as of the newest `observe`; none before the first."""

    def __init__(self, classes: Sequence[PriorityClassName]) -> None:
        self._classes = tuple(classes)
        self._queues = {DEFAULT_QUEUE}
        self._families: tuple[GaugeMetricFamily, ...] = ()

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The declared series without samples."""
        return (_family(gauge) for gauge in STATE_GAUGES)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The newest observation."""
        return iter(self._families)

    def observe(self, state: State, now_ms: int) -> None:
        """Replace every gauge by what the state says."""
        for _ in self.observe_in_slices(state, now_ms):
            pass

    def observe_in_slices(self, state: State, now_ms: int) -> Iterator[None]:
        """As `observe`, yielding every few milliseconds so that an event loop can do other things."""
        lines = list(product(sorted(self._queues), self._classes))
        samples = yield from samples_in_slices(
            state, now_ms=now_ms, lines=lines, queue_label=self._queue_label
        )
        self._families = tuple(_filled(gauge, samples) for gauge in STATE_GAUGES)

    def _queue_label(self, queue: QueueName) -> str:
        """The queue's name, or one for all beyond a number: users may make up names."""
        if queue not in self._queues:
            if len(self._queues) >= QUEUES_MAX:
                return OTHER_QUEUES
            self._queues.add(queue)
        return queue


def _family(gauge: StateGauge) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + gauge.name, gauge.help, labels=gauge.labels, unit=gauge.unit)


def _filled(gauge: StateGauge, samples: Samples) -> GaugeMetricFamily:
    family = _family(gauge)
    for labels, value in samples[gauge.name].items():
        family.add_metric(labels, value)
    return family
