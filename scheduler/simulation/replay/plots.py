"""Plots of what came of a trace, where matplotlib is there."""

from importlib import import_module
from pathlib import Path

from scheduler.model.errors import PlacewrightError
from scheduler.simulation.replay.figures import Figures


class NoPlots(PlacewrightError):
    """matplotlib is not installed."""


def plot(figures: Figures, out: Path) -> None:
    """Write `utilisation.png` and `queues.png` into a directory, which is made.

    Raises:
        NoPlots
    """
    try:
        pyplot = import_module("matplotlib.pyplot")
    except ImportError:
        raise NoPlots("plots need matplotlib, which is not installed") from None
    out.mkdir(parents=True, exist_ok=True)
    bars = {
        "utilisation": {pool.pool: pool.utilisation for pool in figures.pools},
        "queues": {queue.queue: queue.share for queue in figures.queues},
    }
    for name, values in bars.items():
        figure, axes = pyplot.subplots(figsize=(8, 1 + 0.3 * len(values)), layout="constrained")
        axes.barh(list(values), list(values.values()))
        axes.set_title(name)
        figure.savefig(out / f"{name}.png")
        pyplot.close(figure)
