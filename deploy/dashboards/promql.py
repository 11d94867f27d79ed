"""PromQL in the house style.

Every process exports the state from its own mirror, so state is read as the maximum over instances;
RPCs and store calls belong to one process each and are summed.
"""

POOLS = 'pool=~"$pool"'
LINES = 'queue=~"$queue", priority_class=~"$priority_class"'
CLASSES = 'priority_class=~"$priority_class"'
RATE = "[$__rate_interval]"


def newest(series: str, labels: str, *, by: str = "") -> str:
    """A gauge as any process has it, summed by `by` after taking each series once."""
    once = f"max without (instance, job) (placewright_{series}{{{labels}}})"
    return f"sum by ({by}) ({once})" if by else f"sum({once})"


def moved(series: str, labels: str, *, by: str) -> str:
    """Moves per second, counted by every process alike."""
    return f"max by ({by}) (rate(placewright_{series}{{{labels}}}{RATE}))"


def quantile(q: float, series: str, labels: str, *, by: str = "") -> str:
    """A quantile of a histogram, over all instances; nothing while nothing happens."""
    label_names = f"le, {by}" if by else "le"
    buckets = f"rate(placewright_{series}_bucket{{{labels}}}{RATE})"
    return f"histogram_quantile({q}, sum by ({label_names}) ({buckets})) >= 0"


def of_plan(series: str, labels: str = "", *, by: str = "") -> str:
    """A figure of the leader's newest plan; nothing while there is none."""
    every = f"placewright_plan_{series}" + (f"{{{labels}}}" if labels else "")
    return f"max by ({by}) ({every}) >= 0" if by else f"max({every}) >= 0"
