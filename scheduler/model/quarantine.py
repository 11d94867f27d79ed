"""After a history change: what may have a run that the store has lost is not placed anew.

Why and for how long: docs/decisions/lost-tails.md.
"""

from collections.abc import Sequence

from scheduler.model.ids import LauncherId
from scheduler.model.job import Job
from scheduler.model.plan import Step
from scheduler.model.run import Run, RunState
from scheduler.model.state import State


def awaited(state: State) -> list[LauncherId]:
    """Launchers that may hold runs which this history does not know, by id."""
    launchers = {pool.spec.launcher_id for pool in state.pools()}
    return sorted(launcher_id for launcher_id in launchers if _may_hold_unknown(state, launcher_id))


def _may_hold_unknown(state: State, launcher_id: LauncherId) -> bool:
    session = state.session(launcher_id)
    if session is None or session.history != state.history:
        return True
    if session.is_synchronised:
        return False
    return not session.is_expired or not all(
        pool.spec.self_fencing for pool in state.pools() if pool.spec.launcher_id == launcher_id
    )


def may_be_claimed_unknown(state: State, run: Run) -> bool:
    """Whether the store may have lost the claim of an offer, so that its tasks may live."""
    is_old_offer = run.state is RunState.PLACED and run.history != state.history
    return is_old_offer and _may_hold_unknown(state, run.launcher_id)


def is_of_earlier_history(state: State, job: Job) -> bool:
    return job.history != state.history


def allowed(state: State, steps: Sequence[Step]) -> list[Step]:
    """Steps that place only replicas of which surely no unknown run lives.

    The plan leaves the others out; this is for what changed since.
    """
    old = [step for step in steps if _places_old(state, step)]
    if not old or not awaited(state):
        return list(steps)
    return [step for step in steps if step not in old]


def _places_old(state: State, step: Step) -> bool:
    replicas = [state.replica(place.replica_id) for place in step.places]
    jobs = [state.job(replica.job_id) for replica in replicas if replica is not None]
    return any(job is not None and is_of_earlier_history(state, job) for job in jobs)
