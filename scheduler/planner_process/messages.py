"""What the two processes say to each other: MessagePack with its length in front, over pipes."""

import msgspec

from scheduler.model.disruption import DisruptionBudget
from scheduler.model.explanation import WhyWaiting
from scheduler.model.ids import History, ReplicaId, Revision
from scheduler.model.plan import WorkLimits
from scheduler.model.priority import PriorityClass
from scheduler.model.whatif import Hypotheses, WhatIf

LENGTH_BYTES = 4


class Configure(msgspec.Struct, tag=True):
    """The first message to a new process."""

    niceness: int
    priority_classes: list[PriorityClass]
    disruption: DisruptionBudget


class Reset(msgspec.Struct, tag=True):
    """Forget the state; commits that rebuild another one follow."""

    history: History


class Observe(msgspec.Struct, tag=True):
    """A commit, as the codec wrote it."""

    commit: bytes


class MakePlans(msgspec.Struct, tag=True):
    """Plan for the state as it is now."""

    now_ms: int
    limits: WorkLimits


class AskWhatIf(msgspec.Struct, tag=True):
    """Plan for the state as it is and as it is supposed to be."""

    hypotheses: Hypotheses
    now_ms: int
    limits: WorkLimits


class AskWhyWaiting(msgspec.Struct, tag=True):
    """Explain why a replica waits."""

    replica_id: ReplicaId
    now_ms: int
    limits: WorkLimits


class Planned(msgspec.Struct, tag=True):
    """A verified plan, as the codec wrote it."""

    plan: bytes


class WhatIfAnswered(msgspec.Struct, tag=True):
    """How the two plans differ."""

    answer: WhatIf


class WhyWaitingAnswered(msgspec.Struct, tag=True):
    """Why it waits; None when it does not."""

    answer: WhyWaiting | None


class Finished(msgspec.Struct, tag=True):
    """No more plans come for this request."""

    revision: Revision


class Failed(msgspec.Struct, tag=True):
    """No more plans come, for this reason."""

    reason: str


ToPlanner = Configure | Reset | Observe | MakePlans | AskWhatIf | AskWhyWaiting
FromPlanner = Planned | WhatIfAnswered | WhyWaitingAnswered | Finished | Failed

_encoder = msgspec.msgpack.Encoder()
_to_planner: msgspec.msgpack.Decoder[ToPlanner] = msgspec.msgpack.Decoder(ToPlanner)
_from_planner: msgspec.msgpack.Decoder[FromPlanner] = msgspec.msgpack.Decoder(FromPlanner)


def framed(message: ToPlanner | FromPlanner) -> bytes:
    """The message with its length in front."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def length_of(head: bytes) -> int:
    """The length that the first bytes of a frame give for the rest."""
    return int.from_bytes(head, "big")


def to_planner(body: bytes) -> ToPlanner:
    return _to_planner.decode(body)


def from_planner(body: bytes) -> FromPlanner:
    return _from_planner.decode(body)
