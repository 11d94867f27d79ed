"""Enums between wire and model: the same names, one prefix apart."""

from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from placewright.v1 import job_pb2, pool_pb2
from scheduler.model.deferral import DeferralReason, PoolVerdict
from scheduler.model.job import JobPhase, LaunchedBy, Market
from scheduler.model.jumps import JumpOf
from scheduler.model.replica import ReplicaState
from scheduler.model.run import EndReason, RunState

E = TypeVar("E", bound=StrEnum)


class _Wire(Protocol):
    def Value(self, name: str) -> int: ...  # noqa: N802  # protobuf's spelling


class Names(Generic[E]):
    """One enum on both sides: every member of the model has a value on the wire, checked at import."""

    def __init__(self, model: type[E], wire: _Wire, prefix: str) -> None:
        self._to_wire = {member: wire.Value(f"{prefix}_{member.name}") for member in model}
        self._to_model = {value: member for member, value in self._to_wire.items()}

    def to_wire(self, member: E | None) -> int:
        """The wire's value; 0, UNSPECIFIED, for None."""
        return 0 if member is None else self._to_wire[member]

    def to_model(self, value: int) -> E | None:
        """The model's member; None for UNSPECIFIED and for values of newer clients."""
        return self._to_model.get(value)

    @property
    def allowed(self) -> str:
        return ", ".join(member.name for member in self._to_wire)


MARKETS = Names(Market, job_pb2.Market, "MARKET")
PHASES = Names(JobPhase, job_pb2.JobPhase, "JOB_PHASE")
REPLICA_STATES = Names(ReplicaState, job_pb2.ReplicaState, "REPLICA_STATE")
RUN_STATES = Names(RunState, job_pb2.RunState, "RUN_STATE")
END_REASONS = Names(EndReason, job_pb2.EndReason, "END_REASON")
DEFERRAL_REASONS = Names(DeferralReason, job_pb2.DeferralReason, "DEFERRAL_REASON")
POOL_VERDICTS = Names(PoolVerdict, job_pb2.PoolVerdict, "POOL_VERDICT")
LAUNCHED_BY = Names(LaunchedBy, job_pb2.LaunchedBy, "LAUNCHED_BY")
JUMPS = Names(JumpOf, pool_pb2.PoolJumpKind, "POOL_JUMP_KIND")
