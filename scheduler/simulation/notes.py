"""What a launcher knows: on its disk, on its hosts, and in memory."""

from dataclasses import dataclass, field

from scheduler.model.ids import PoolId, RunId
from scheduler.model.run import RunState
from scheduler.model.transitions.adoption import RunFacts
from scheduler.service.desired import DesiredRun
from scheduler.service.launchers import Claim
from scheduler.simulation.host import End, Hosts


@dataclass(slots=True, kw_only=True)
class Note:
    """What the launcher's disk says of a run; it outlives the launcher."""

    pool_id: PoolId
    run_token: int | None = None
    is_started: bool = False
    end: End | None = None
    facts: RunFacts | None = None


@dataclass(slots=True)
class Disk:
    """Durable notes by run."""

    notes: dict[RunId, Note] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What outlives a launcher."""

    disk: Disk
    hosts: Hosts


@dataclass(slots=True)
class Held:
    """What the launcher has in memory of a run it has noted."""

    desired: DesiredRun | None = None
    is_claiming: bool = False
    is_launching: bool = False
    is_released: bool = False
    told: RunState | None = None


def facts_of(claim: Claim) -> RunFacts:
    """What is noted of a claimed run, in case the store forgets it."""
    run = claim.run
    assert run.claimed_at_ms is not None, run
    return RunFacts(
        job_id=run.job_id,
        replica_index=claim.replica_index,
        run_number=run.run_number,
        placement=run.placement,
        grace_period_ms=run.grace_period_ms,
        claimed_at_ms=run.claimed_at_ms,
    )
