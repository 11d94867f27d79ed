"""The planner process: reads messages from its standard input until it ends, writes plans to its output."""

import ctypes
import gc
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

from scheduler.codec.commits import decode_commit
from scheduler.codec.plans import encode_plan
from scheduler.model.disruption import DisruptionBudget
from scheduler.model.errors import PlannerFailed
from scheduler.model.ids import History
from scheduler.model.state import State
from scheduler.planner_process.messages import (
    LENGTH_BYTES,
    AskWhatIf,
    AskWhyWaiting,
    Configure,
    Failed,
    Finished,
    FromPlanner,
    MakePlans,
    Observe,
    Planned,
    Reset,
    ToPlanner,
    WhatIfAnswered,
    WhyWaitingAnswered,
    framed,
    length_of,
    to_planner,
)
from scheduler.planner_process.planning_run import PriorityClasses, Terms, plans_of, what_if, why_waiting

PR_SET_PDEATHSIG = 1  # of Linux
GARBAGE_THRESHOLDS = (100_000, 50, 100)  # records are many and never in cycles: searching them costs seconds


def main() -> None:
    """Serve until the parent is gone."""
    _die_with_parent()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    output = _private_output()
    served = Served()
    for message in _messages(sys.stdin.buffer):
        for answer in served.answers(message):
            output.write(framed(answer))
            output.flush()


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _private_output() -> BinaryIO:
    """The pipe to the parent; what a library prints goes to the error output instead."""
    private = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(private, "wb")


def _messages(source: BinaryIO) -> Iterator[ToPlanner]:
    """Messages as they come. The process ends with their source, even in the middle of planning."""
    received: queue.SimpleQueue[ToPlanner] = queue.SimpleQueue()

    def receive() -> None:
        while head := source.read(LENGTH_BYTES):
            received.put(to_planner(source.read(length_of(head))))
        os._exit(0)

    threading.Thread(target=receive, daemon=True).start()
    while True:
        yield received.get()


class Served:
    """The state that plans are made for."""

    def __init__(self) -> None:
        self._state = State(History(""))
        self._priority_classes: PriorityClasses = {}
        self._disruption = DisruptionBudget()

    def answers(self, message: ToPlanner) -> Iterator[FromPlanner]:
        match message:
            case Configure():
                os.nice(message.niceness)
                self._priority_classes = {one.name: one for one in message.priority_classes}
                self._disruption = message.disruption
            case Reset():
                self._state = State(message.history)
            case Observe():
                self._state.apply(decode_commit(message.commit))
            case MakePlans():
                yield from self._plans(message)
            case AskWhatIf() | AskWhyWaiting():
                yield self._answer(message)

    def _plans(self, asked: MakePlans) -> Iterator[FromPlanner]:
        try:
            for plan in plans_of(
                self._state,
                now_ms=asked.now_ms,
                limits=asked.limits,
                priority_classes=self._priority_classes,
                disruption=self._disruption,
            ):
                yield Planned(encode_plan(plan))
        except (PlannerFailed, AssertionError) as error:
            yield Failed(f"{type(error).__name__}: {error}")
        else:
            yield Finished(self._state.revision)

    def _answer(self, asked: AskWhatIf | AskWhyWaiting) -> FromPlanner:
        try:
            if isinstance(asked, AskWhyWaiting):
                return WhyWaitingAnswered(why_waiting(self._state, asked.replica_id, **self._terms(asked)))
            return WhatIfAnswered(what_if(self._state, asked.hypotheses, **self._terms(asked)))
        except (PlannerFailed, AssertionError) as error:
            return Failed(f"{type(error).__name__}: {error}")

    def _terms(self, asked: AskWhatIf | AskWhyWaiting) -> Terms:
        return Terms(
            now_ms=asked.now_ms,
            limits=asked.limits,
            priority_classes=self._priority_classes,
            disruption=self._disruption,
        )


if __name__ == "__main__":
    main()
