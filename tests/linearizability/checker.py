"""Whether calls that overlapped can be put in one order that a sequential specification allows.

The search is Wing and Gong's with Lowe's memory: a set of calls that have taken effect, together with the
state that they led to, is tried once.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
C = TypeVar("C")

Specification = Callable[
    [S, C], S | None
]  # the state after the call; None where it cannot have been answered so


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[C]):
    """A call with its answer, and when it may have taken effect.

    Attributes:
        begins: its place in the order of all beginnings and ends; before it, it has no effect.
        ends: where its answer came; None where none came, so that it took effect at any time since, or never.
        after: the operations, by index, that take effect before it in any case.
    """

    call: C
    begins: int
    ends: int | None
    after: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the search found.

    Attributes:
        order: the operations, by index, as they may have taken effect; else the longest start of one.
    """

    is_linearizable: bool
    order: tuple[int, ...]


def judge(history: Sequence[Operation[C]], specification: Specification[S, C], *, start: S) -> Verdict:
    """Look for an order of all answered operations, and as many of the others as it takes."""
    return _Search(history, specification).run(start)


class _Search(Generic[S, C]):
    def __init__(self, history: Sequence[Operation[C]], specification: Specification[S, C]) -> None:
        self._history, self._specification = history, specification
        self._tried: set[tuple[frozenset[int], S]] = set()
        self._longest: tuple[int, ...] = ()

    def run(self, start: S) -> Verdict:
        found = self._extended((), start)
        return Verdict(found is not None, self._longest if found is None else found)

    def _extended(self, order: tuple[int, ...], state: S) -> tuple[int, ...] | None:
        order = self._with_what_changes_nothing(order, state)
        taken = frozenset(order)
        self._longest = max(self._longest, order, key=len)
        if all(op.ends is None or index in taken for index, op in enumerate(self._history)):
            return order
        if (taken, state) in self._tried:
            return None
        self._tried.add((taken, state))
        for index in self._ready(taken):
            after = self._specification(state, self._history[index].call)
            if after is not None and after != state:
                found = self._extended((*order, index), after)
                if found is not None:
                    return found
        return None

    def _with_what_changes_nothing(self, order: tuple[int, ...], state: S) -> tuple[int, ...]:
        """Calls that are right now and change nothing may as well come now: nobody can tell."""
        while True:
            more = [
                index
                for index in self._ready(frozenset(order))
                if self._history[index].ends is not None
                and self._specification(state, self._history[index].call) == state
            ]
            if not more:
                return order
            order = (*order, *more)

    def _ready(self, taken: frozenset[int]) -> list[int]:
        """What may take effect next: nothing else ended before it began, or has to come before it."""
        left = [(index, op) for index, op in enumerate(self._history) if index not in taken]
        horizon = min((op.ends for _, op in left if op.ends is not None), default=None)
        return [
            index for index, op in left if op.after <= taken and (horizon is None or op.begins <= horizon)
        ]
