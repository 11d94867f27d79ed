"""The auditor is worth its trust: each planted bug is found within a few seeds."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from scheduler.control.cycle import Cycle
from scheduler.control.expiry import Expiry
from scheduler.control.leases import LeaseWatch, LossGuard
from scheduler.model import quarantine
from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import History, LauncherId, Revision, RunId
from scheduler.model.job import Job
from scheduler.model.occupancy import Occupancy, is_waiting, occupancy_of
from scheduler.model.plan import RunningReplica
from scheduler.model.records import UNMIRRORED, Kind, LaunchPayload
from scheduler.model.replica import Replica
from scheduler.model.run import Run, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Commit, Outcome, Transaction
from scheduler.model.transitions import preemption as preemption_moves
from scheduler.model.transitions import runs as run_moves
from scheduler.model.transitions import sessions, settling
from scheduler.model.transitions.runs import live_run
from scheduler.planning import books, guarantee, holding, room, snapshot, stop_rules, victims
from scheduler.service import desired, launchers
from scheduler.service.launchers import Claim, Report, SessionRef
from scheduler.service.parts import Parts as ServiceParts
from scheduler.service.watch import Watches
from scheduler.service.watch_pump import Pump
from scheduler.simulation.attachment import Stream
from scheduler.simulation.launcher import SimulatedLauncher
from scheduler.simulation.network import Unreachable
from scheduler.simulation.planner import SimulatedPlanner
from scheduler.simulation.simulation import Parts, Result, simulate
from scheduler.simulation.store import Store
from scheduler.simulation.world import TIGHT, Faults, Trouble, World, world_of

SEEDS_MAX = 40


class AlteringStore:
    """A store that carries out something else than it was asked for."""

    def __init__(self, store: Store, alter: Callable[[Transaction], Transaction]) -> None:
        self._store, self._alter = store, alter

    async def transact(self, transactions: Sequence[Transaction]) -> Sequence[Outcome]:
        return await self._store.transact([self._alter(transaction) for transaction in transactions])

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def without_fence(transaction: Transaction) -> Transaction:
    return replace(transaction, fence=None)


def without_versions(transaction: Transaction) -> Transaction:
    """Claims and reports are written whatever has happened meanwhile."""
    if transaction.fence is not None or not any(isinstance(put.entity, Run) for put in transaction.puts):
        return transaction
    return replace(transaction, checks=())


def without_any_versions(transaction: Transaction) -> Transaction:
    """Everything is written whatever has happened meanwhile, plans too."""
    return replace(transaction, checks=())


def torn(transaction: Transaction) -> Transaction:
    """All but the last of several writes."""
    return replace(transaction, puts=transaction.puts[:-1]) if len(transaction.puts) > 1 else transaction


class LosingStore:
    """A store whose stream leaves a commit out now and then."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read_commits(self, history: History, after: Revision, *, wait_ms: int) -> Sequence[Commit]:
        commits = await self._store.read_commits(history, after, wait_ms=wait_ms)
        return [commit for commit in commits if commit.revision % LOST_EVERY or len(commits) == 1]

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


LOST_EVERY = 10


hand_out = Pump.committed


def forgets_every_tenth(pump: Pump, commits: Sequence[Commit]) -> None:
    """What watches are told of, with an event dropped now and then."""
    hand_out(pump, [commit for commit in commits if commit.revision % LOST_EVERY])


class HastyLauncher(SimulatedLauncher):
    """Starts what it is offered without asking."""

    async def _claim_until_answered(self, ref: SessionRef, run_id: RunId) -> Claim | None:
        with suppress(Unreachable):
            found = live_run(self._network.replica().parts.state, run_id)
            if found is not None:
                payload = LaunchPayload(job_id=found.job.id, command=(), env=())
                run = replace(found.run, claimed_at_ms=0)
                return Claim(run=run, job_name=found.job.spec.name, replica_index=0, payload=payload)
        return await super()._claim_until_answered(ref, run_id)


class ForgetfulLauncher(SimulatedLauncher):
    """Loses the mark that it has started a run, so that after a crash it takes it for absent."""

    def _restore(self) -> None:
        for note in self._disk.notes.values():
            note.is_started = False
        super()._restore()


class UnfencedLauncher(SimulatedLauncher):
    """Starts tasks without a watchdog, on pools that promise one."""

    def _start_tasks(self, claim: Claim, *, epoch: int) -> None:
        self._pools = {pool_id: replace(spec, self_fencing=False) for pool_id, spec in self._pools.items()}
        super()._start_tasks(claim, epoch=epoch)


class BlindPlanner(SimulatedPlanner):
    """Plans as if nothing ran, and so finds room for everything."""

    async def reset(self, state: State) -> None:
        empty = State(state.history)
        for kind in Kind:
            if kind not in (*UNMIRRORED, Kind.RUN):
                for record in state.records(kind):
                    empty.put(record)
        empty.revision = state.revision
        await super().reset(empty)

    async def observe(self, commits: Sequence[Commit]) -> None:
        seen = [
            replace(c, records=tuple(r for r in c.records if not isinstance(r.entity, Run))) for c in commits
        ]
        await super().observe(seen)


RIGHT = Parts()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A bug, and seeds of which one finds it.

    Attributes:
        finds: what the violation says, as a pattern.
        faults: the only trouble of these worlds; None: what the seeds draw.
        world: what else these worlds have, so that it happens more often.
        pools: what every pool of these worlds has.
        broken: methods and functions that do nothing, or something else, in this case.
    """

    id: str
    finds: str
    first_seed: int = 0
    parts: Parts = RIGHT
    faults: Faults | None = None
    world: Mapping[str, Any] = field(default_factory=dict)
    pools: Mapping[str, Any] = field(default_factory=dict)
    broken: Sequence[tuple[object, str, object]] = ()


async def nothing(*_: object, **__: object) -> None:
    """Leave out what should be done."""


def shortest_lease_at_once(state: State, launcher_id: LauncherId) -> int:
    pools = sessions.served_pools(state, launcher_id)
    return min((pool.spec.lease_duration_ms for pool in pools), default=sessions.LEASE_WITHOUT_POOLS_MS)


def passes_at_this_instant(guard: LossGuard, runs: int, *, monotonic_ms: int) -> bool:
    """A guard without a memory: launchers that run out one after the other go past it."""
    return monotonic_ms >= 0 and runs <= guard._runs_max


due_at_ms = settling.due_at_ms


def due_if_claimed_at_ms(state: State, job: Job, run: Run) -> int | None:
    return None if run.state is RunState.PLACED else due_at_ms(state, job, run)


def next_number(_state: State, replica: Replica) -> int:
    return replica.run_token + 1


LOST_TAILS = Faults(chaos_every_ms=10_000, chaos=(Trouble.STORE_LOSES_A_TAIL, Trouble.LAUNCHER_IS_CUT_OFF))


async def told_of_nothing(stream: Stream, report: Report) -> bool:
    """A full state that is taken for complete whatever it names."""
    with suppress(PlacewrightError):
        await stream.ask(stream.process.launchers.report(stream.ref, report))
    return False


def in_any_case(each: RunningReplica, *_: object) -> bool:
    """Whatever its job says."""
    return each.run.state in victims.STOPPABLE and not is_waiting(each.run)


def nothing_that_waits(live_runs: Sequence[Run]) -> Occupancy:
    """As if what waits for runs to end, and those runs, held no room."""
    return Occupancy(occupancy_of(live_runs).others, (), ())


SHORT_OUTAGES = Faults(chaos_every_ms=10_000, chaos=(Trouble.STORE_IS_AWAY,))

STALLS = Faults(chaos_every_ms=20_000, chaos=(Trouble.SERVICE_STALLS,), slow_permille=100, lag_ms=500)

CASES = [
    Case(
        id="store_that_does_not_check_the_fence",
        finds="deposed leader",
        faults=STALLS,
        parts=Parts(store=lambda memory: AlteringStore(memory, without_fence)),
    ),
    Case(
        id="store_that_does_not_check_versions_of_claims_and_reports",
        finds="run",
        parts=Parts(store=lambda memory: AlteringStore(memory, without_versions)),
    ),
    Case(
        id="store_that_commits_without_comparing_versions",
        finds="did not hold|run",
        parts=Parts(store=lambda memory: AlteringStore(memory, without_any_versions)),
    ),
    Case(
        id="store_that_tears_a_step",
        finds="is torn",
        parts=Parts(store=lambda memory: AlteringStore(memory, torn)),
    ),
    Case(
        id="stream_that_drops_an_event",
        finds="was told of commit",
        parts=Parts(store=LosingStore),
    ),
    Case(
        id="watch_that_drops_an_event",
        finds="watcher",
        broken=[(Pump, "committed", forgets_every_tenth)],
    ),
    Case(
        id="launcher_that_starts_before_it_claims",
        finds="without a claim",
        parts=Parts(launcher=HastyLauncher),
    ),
    Case(
        id="launcher_that_forgets_what_it_started",
        finds="tasks",
        parts=Parts(launcher=ForgetfulLauncher),
    ),
    Case(
        id="launcher_without_a_watchdog",
        finds="while its tasks live",
        parts=Parts(launcher=UnfencedLauncher),
    ),
    Case(
        id="planner_that_does_not_see_what_runs",
        finds="devices used|used by another|the limit is",
        parts=Parts(planner=lambda around, name: BlindPlanner(around, name=name)),
    ),
    Case(
        id="leases_that_go_on_while_the_store_is_away",
        finds="expired at",
        faults=SHORT_OUTAGES,
        pools={"lease_duration_ms": 12_000},
        broken=[(LeaseWatch, "restart", lambda _: None)],
    ),
    Case(
        id="leader_that_does_not_notice_a_gap_in_its_own_renewals",
        finds="expired at",
        faults=SHORT_OUTAGES,
        pools={"lease_duration_ms": 12_000},
        broken=[(Expiry, "_restart_after_gap", lambda _: None)],
    ),
    Case(
        id="guard_that_looks_at_one_instant_only",
        finds="the guard allows",
        faults=Faults(chaos_every_ms=20_000, chaos=(Trouble.LAUNCHER_IS_CUT_OFF,)),
        world={"mass_loss_guard_runs": 1},
        pools={"lease_duration_ms": 12_000, "self_fencing": True},
        broken=[(LossGuard, "lets_pass", passes_at_this_instant)],
    ),
    Case(
        id="leader_that_does_not_catch_up_first",
        finds="devices used|used by another|the limit is|live",
        first_seed=20,
        faults=Faults(lag_ms=8_000, crash_permille=15, store_error_permille=40),
        broken=[(Cycle, "_catch_up", nothing)],
    ),
    Case(
        id="leases_that_get_shorter_at_once",
        finds="while its tasks live",
        faults=Faults(request_lost_permille=400, reply_lost_permille=400),
        world={"leases_change_every_ms": 30_000},
        first_seed=84,
        broken=[(sessions, "lease_duration_ms", shortest_lease_at_once)],
    ),
    Case(
        id="replica_that_takes_what_it_has_not_seen_for_unknown",
        finds="nothing comes of it",
        faults=Faults(lag_ms=4_000),
        world={"replicas": 3},
        broken=[
            (ServiceParts, "write_known", ServiceParts.write),
            (settling, "due_at_ms", due_if_claimed_at_ms),  # else the lost offer is withdrawn after a lease
        ],
    ),
    Case(
        id="replicas_placed_before_launchers_have_said_what_they_hold",
        finds="live at once|started twice|devices used|used by another",
        faults=LOST_TAILS,
        broken=[(quarantine, "awaited", lambda _: []), (snapshot, "awaited", lambda _: [])],
    ),
    Case(
        id="run_token_given_twice",
        finds="had as high a one|started twice",
        faults=LOST_TAILS,
        broken=[(run_moves, "next_run_token", next_number)],
    ),
    Case(
        id="run_that_is_not_adopted_and_not_stopped",
        finds="live at once|ended or is unknown|after its end",
        faults=LOST_TAILS,
        broken=[(launchers, "adopted", lambda *_, **__: None), (Stream, "tell_of_run", told_of_nothing)],
    ),
    Case(
        id="place_that_does_not_wait_for_what_it_preempts",
        finds="was claimed while",
        first_seed=7,
        broken=[(run_moves, "awaited_by", lambda *_: []), (desired, "awaited_by", lambda *_: [])],
    ),
    Case(
        id="planner_that_stops_protected_runs",
        finds="not preemptible|its job is held|is frozen|it had run for",
        broken=[
            (victims, "may_be_stopped", in_any_case),
            (stop_rules, "reasons_not_to_stop", lambda *_: iter(())),
            (guarantee, "reasons_not_to_stop", lambda *_: iter(())),
        ],
    ),
    Case(
        id="stops_that_no_replica_remembers",
        finds="times within an hour|were within an hour",
        first_seed=10,
        world={"disruption": TIGHT},
        broken=[(preemption_moves, "remembered", lambda replica, *_, **__: replica)],
    ),
    Case(
        id="room_that_something_waits_for_given_out_at_once",
        finds="devices used|used by another|the limit is|the planner failed",
        first_seed=7,
        broken=[
            (room, "occupancy_of", nothing_that_waits),
            (books, "occupancy_of", nothing_that_waits),
            (holding, "occupancy_of", nothing_that_waits),
        ],
    ),
    Case(
        id="watch_that_resumes_without_what_it_missed",
        finds="watcher",
        broken=[(Watches, "_catch_up", nothing)],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_planted_bug_is_found(
    case: Case, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    for owner, name, other in case.broken:
        monkeypatch.setattr(owner, name, other)

    found = first_violation(case)

    assert found is not None, f"not found by {SEEDS_MAX} seeds from {case.first_seed}"
    sys.stdout.write(
        f"{case.id}: found at seed {found.seed}, the {found.seed - case.first_seed + 1}. of its seeds\n"
    )
    record_property("seeds_needed", found.seed - case.first_seed + 1)
    assert re.search(case.finds, str(found.violation)), found.violation


def first_violation(case: Case) -> Result | None:
    seeds = range(case.first_seed, case.first_seed + SEEDS_MAX)
    results = (simulate(world_for(case, seed), parts=case.parts) for seed in seeds)
    return next((result for result in results if result.violation is not None), None)


def world_for(case: Case, seed: int) -> World:
    world = world_of(seed, with_faults=True)
    pools = tuple((pool_id, replace(spec, **case.pools)) for pool_id, spec in world.pools)
    faults = world.faults if case.faults is None else case.faults
    return replace(world, pools=pools, faults=faults, **case.world)
