"""The auditor is worth its trust: each planted bug is found within a few seeds."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from scheduler.control import commit
from scheduler.control.commit import holds
from scheduler.control.cycle import Cycle
from scheduler.control.expiry import Expiry
from scheduler.control.leases import LeaseWatch, LossGuard
from scheduler.model import jumps, quarantine
from scheduler.model.brakes import Freeze
from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import History, LauncherId, Revision, RunId
from scheduler.model.job import Job
from scheduler.model.occupancy import Occupancy, is_waiting, occupancy_of
from scheduler.model.plan import Plan, PlannedPool, RunningReplica, Step, Usage
from scheduler.model.pool import NodeGroup, Pool
from scheduler.model.queue import Cohort, Queue
from scheduler.model.records import UNMIRRORED, Kind, LaunchPayload, Record
from scheduler.model.replica import Replica
from scheduler.model.run import Run, RunState
from scheduler.model.state import State
from scheduler.model.transaction import Check, Commit, IsAbsent, Outcome, Transaction
from scheduler.model.transitions import preemption as preemption_moves
from scheduler.model.transitions import runs as run_moves
from scheduler.model.transitions import sessions, settling
from scheduler.model.transitions.runs import live_run
from scheduler.model.view import usable_accelerators
from scheduler.planning import guarantee, holding, problem, room, snapshot, stop_rules, verify, victims
from scheduler.planning import pool_accounts as accounts
from scheduler.planning.quotas import NO_QUOTAS, Quotas, quotas_of
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
from scheduler.simulation.world import NO_FAULTS, TIGHT, Faults, Trouble, World, world_of

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


class AlteredPlanner(SimulatedPlanner):
    """Sees each record altered, or not at all."""

    def _seen(self, record: Record) -> Record | None:
        raise NotImplementedError

    async def reset(self, state: State) -> None:
        altered = State(state.history)
        for kind in Kind:
            for record in () if kind in UNMIRRORED else state.records(kind):
                if (seen := self._seen(record)) is not None:
                    altered.put(seen)
        altered.revision = state.revision
        await super().reset(altered)

    async def observe(self, commits: Sequence[Commit]) -> None:
        altered = [
            replace(c, records=tuple(seen for r in c.records if (seen := self._seen(r)) is not None))
            for c in commits
        ]
        await super().observe(altered)


class BlindPlanner(AlteredPlanner):
    """Plans as if nothing ran, and so finds room for everything."""

    def _seen(self, record: Record) -> Record | None:
        return None if isinstance(record.entity, Run) else record


class UnbrakedPlanner(AlteredPlanner):
    """Plans as if nothing were held, pinned or cordoned."""

    def _seen(self, record: Record) -> Record | None:
        return unbraked(record)


class UnfrozenPlanner(AlteredPlanner):
    """Plans as if nothing were frozen."""

    def _seen(self, record: Record) -> Record | None:
        return None if isinstance(record.entity, Freeze) else record


def unbraked(record: Record) -> Record:
    match record.entity:
        case Job() as job:
            return replace(record, entity=replace(job, hold=None))
        case Replica() as replica:
            return replace(record, entity=replace(replica, pin=None))
        case Pool() as pool:
            return replace(record, entity=replace(pool, node_cordons=()))
        case _:
            return record


def without_freezes(transaction: Transaction) -> Transaction:
    """Placements are written whatever is frozen."""
    return replace(transaction, checks=tuple(c for c in transaction.checks if not is_of_freeze(c)))


def steps_that_hold_but_for_freezes(state: State, plan: Plan) -> list[Step]:
    """As the commit looks at the steps of a plan, but for freezes."""
    return [
        step for step in plan.steps if all(is_of_freeze(c) or holds(state, c) for c in step.preconditions)
    ]


def is_of_freeze(check: Check) -> bool:
    return isinstance(check, IsAbsent) and check.key.kind is Kind.FREEZE


class GenerousPlanner(SimulatedPlanner):
    """Takes a node for twice as large, and a limit for one higher; its own verify finds nothing."""

    async def reset(self, state: State) -> None:
        larger = State(state.history)
        for kind in Kind:
            if kind not in UNMIRRORED:
                for record in state.records(kind):
                    larger.put(larger_than_it_is(record))
        larger.revision = state.revision
        await super().reset(larger)

    async def observe(self, commits: Sequence[Commit]) -> None:
        seen = [replace(c, records=tuple(map(larger_than_it_is, c.records))) for c in commits]
        await super().observe(seen)


def larger_than_it_is(record: Record) -> Record:
    if not isinstance(record.entity, Pool):
        return record
    spec = record.entity.spec
    groups = tuple(
        NodeGroup(nodes=nodes, devices_per_node=devices)
        for group in spec.node_groups
        for nodes, devices in ((1, 2 * group.devices_per_node), (group.nodes - 1, group.devices_per_node))
        if nodes
    )
    limit = None if spec.limit_accelerators is None else spec.limit_accelerators + 1
    spec = replace(spec, node_groups=groups, limit_accelerators=limit)
    return replace(record, entity=replace(record.entity, spec=spec))


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

MISHAPS = Faults(mishaps_every_ms=10_000)

planned_pool = snapshot.planned_pool


def planned_as_asked(state: State, pool: Pool) -> PlannedPool:
    """A pool that is planned with at the price that waits."""
    if (waits := pool.pending_price) is not None:
        price = waits.usd_micros_per_accelerator_hour
        pool = replace(pool, spec=replace(pool.spec, price_usd_micros_per_accelerator_hour=price))
    return planned_pool(state, pool)


def due_where_nothing_is_left_ms(state: State, job: Job, run: Run) -> int | None:
    """What runs where nothing is said to be left is stopped at once."""
    pool = state.pool(run.pool_id)
    is_left = pool is None or usable_accelerators(pool) > 0 or run.running_at_ms is None
    return due_at_ms(state, job, run) if is_left or run.stop_reason else 0


def no_quotas(*_: object) -> Quotas:
    return Quotas(NO_QUOTAS, (), (), {}, NO_QUOTAS, ())


def half_of_the_quotas(queues: Iterable[Queue], cohorts: Iterable[Cohort], usage: Iterable[Usage]) -> Quotas:
    quotas = quotas_of(queues, cohorts, usage)
    left = quotas.trees
    trees = left._replace(local=left.local // 2, overflow=left.overflow // 2)
    return quotas._replace(trees=trees)


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
        first_seed=1,  # in world 0 only the last commit of all is dropped, after which none is told
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
        finds="grew from",
        parts=Parts(planner=lambda around, name: BlindPlanner(around, name=name)),
    ),
    Case(
        id="planner_that_does_not_see_holds_pins_and_cordons",
        finds="job is held|is pinned to|is cordoned",
        parts=Parts(planner=lambda around, name: UnbrakedPlanner(around, name=name)),
    ),
    Case(
        id="freezes_that_neither_planner_nor_commit_looks_at",
        finds="Kind.FREEZE.*did not hold|is frozen",
        parts=Parts(
            planner=lambda around, name: UnfrozenPlanner(around, name=name),
            store=lambda memory: AlteringStore(memory, without_freezes),
        ),
        broken=[(commit, "steps_that_hold", steps_that_hold_but_for_freezes)],
    ),
    Case(
        id="planner_that_overfills_a_node",
        finds="beyond the (node|limit) of .* grew from",
        parts=Parts(planner=lambda around, name: GenerousPlanner(around, name=name)),
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
        first_seed=15,
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
        finds="grew from|live",
        first_seed=35,
        faults=Faults(lag_ms=8_000, crash_permille=15, store_error_permille=40),
        broken=[(Cycle, "_catch_up", nothing)],
    ),
    Case(
        id="leases_that_get_shorter_at_once",
        finds="while its tasks live",
        faults=Faults(request_lost_permille=400, reply_lost_permille=400),
        world={"leases_change_every_ms": 15_000},
        pools={"self_fencing": True},
        first_seed=62,
        broken=[(sessions, "lease_duration_ms", shortest_lease_at_once)],
    ),
    Case(
        id="replica_that_takes_what_it_has_not_seen_for_unknown",
        first_seed=15,
        finds="nothing comes of it",
        faults=Faults(lag_ms=4_000),
        world={"replicas": 3, "brakes_every_ms": None},  # each write about a pool tells its launcher anew
        broken=[
            (ServiceParts, "write_known", ServiceParts.write),
            (settling, "due_at_ms", due_if_claimed_at_ms),  # else the lost offer is withdrawn after a lease
        ],
    ),
    Case(
        id="replicas_placed_before_launchers_have_said_what_they_hold",
        finds="live at once|started twice|beyond the (node|one of a slice)",
        faults=LOST_TAILS,
        broken=[(quarantine, "awaited", lambda _: []), (snapshot, "awaited", lambda _: [])],
        first_seed=30,
    ),
    Case(
        id="run_token_given_twice",
        finds="had as high a one|started twice",
        faults=LOST_TAILS,
        broken=[(run_moves, "next_run_token", next_number)],
    ),
    Case(
        id="run_that_is_not_adopted_and_not_stopped",
        finds="live at once|ended or is unknown|after its end|really lives|while its tasks live",
        faults=LOST_TAILS,
        broken=[(launchers, "adopted", lambda *_, **__: None), (Stream, "tell_of_run", told_of_nothing)],
    ),
    Case(
        id="price_that_jumps_and_is_in_force_at_once",
        finds="the price of pool-. jumped from",
        faults=MISHAPS,
        broken=[(jumps, "is_price_jump", lambda *_: False)],
    ),
    Case(
        id="plan_at_a_price_that_waits",
        finds="is charged",
        faults=MISHAPS,
        broken=[(snapshot, "planned_pool", planned_as_asked)],
    ),
    Case(
        id="capacity_that_falls_and_is_not_marked",
        finds="and is not marked",
        faults=MISHAPS,
        broken=[(jumps, "is_capacity_fall", lambda *_: False)],
    ),
    Case(
        id="leader_that_stops_what_runs_on_a_capacity_that_fell",
        finds="is stopped as timeout while pool-. jumps",
        faults=MISHAPS,
        broken=[(settling, "due_at_ms", due_where_nothing_is_left_ms)],
    ),
    Case(
        id="plans_without_quotas",
        finds="is exceeded by",
        broken=[(problem, "quotas_of", no_quotas), (verify, "excesses", lambda *_: {})],
    ),
    Case(
        id="quotas_that_leave_less_than_there_is",
        finds="waits although .* has room",
        faults=NO_FAULTS,
        broken=[(problem, "quotas_of", half_of_the_quotas)],
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
        world={"disruption": replace(TIGHT, fleet_stops_per_hour_max=1)},
        broken=[(preemption_moves, "remembered", lambda replica, *_, **__: replica)],
        first_seed=18,
    ),
    Case(
        id="room_that_something_waits_for_given_out_at_once",
        finds="beyond the (node|limit|one of a slice) .*grew from|the planner failed",
        first_seed=7,
        broken=[
            (room, "occupancy_of", nothing_that_waits),
            (accounts, "occupancy_of", nothing_that_waits),
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
