"""Strategies for entities of every kind: valid values with every field in play."""

from typing import TypeVar

from hypothesis import strategies as st

from scheduler.model.brakes import Freeze, FreezeScope, Hold, Pin
from scheduler.model.deferral import Deferral, DeferralReason, PoolVerdict
from scheduler.model.guidance import Guidance
from scheduler.model.job import (
    Alternative,
    Constraints,
    Inference,
    Job,
    JobPhase,
    JobSpec,
    LaunchedBy,
    Location,
    Market,
    TaskGroup,
    Training,
)
from scheduler.model.pool import (
    Availability,
    CapacityFall,
    Cordon,
    NodeCordon,
    NodeGroup,
    PendingPrice,
    Pool,
    PoolSpec,
    PoolStatus,
    SliceGroup,
)
from scheduler.model.queue import Cohort, Queue, Quota
from scheduler.model.records import Entity, IdempotencyRecord, LaunchPayload
from scheduler.model.replica import Preemption, Replica, ReplicaState
from scheduler.model.run import EndReason, NodeShare, Placement, Run, RunState
from scheduler.model.session import LauncherSession

T = TypeVar("T")

texts = st.text(max_size=20)  # any characters: a message or a reason may hold them
ids = st.text("abcdefghij0123456789-", min_size=1, max_size=12)
counts = st.integers(1, 1_000)
times_ms = st.integers(0, 2**45)
micros = st.integers(-(2**53), 2**53)


def tuples_of(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


holds = st.builds(Hold, reason=texts, principal=texts, held_at_ms=times_ms)
pins = st.builds(Pin, pool_id=ids, reason=texts, principal=texts, pinned_at_ms=times_ms)


@st.composite
def freezes(draw: st.DrawFn) -> Freeze:
    scope = draw(st.sampled_from(FreezeScope))
    return Freeze(
        scope=scope,
        target="" if scope is FreezeScope.CELL else draw(ids),
        reason=draw(texts),
        principal=draw(texts),
        frozen_at_ms=draw(times_ms),
    )


alternatives = st.builds(
    Alternative,
    accelerator=ids,
    task_groups=st.tuples(st.builds(TaskGroup, role=ids, tasks=counts, devices_per_task=counts)),
    slice_topology=st.none() | ids,
    speed_permille=counts,
)
constraints = st.builds(
    Constraints,
    allowed_locations=tuples_of(st.builds(Location, provider=ids, region=ids, zone=ids)),
    denied_pools=tuples_of(ids),
    markets=tuples_of(st.sampled_from(Market)),
    residency=tuples_of(ids),
)
kinds_of_work = st.one_of(
    st.builds(lambda ms: (Training(estimated_duration_ms=ms), None), st.none() | counts),
    st.builds(lambda replicas: (None, Inference(replicas=replicas)), counts),
)


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    training, inference = draw(kinds_of_work)
    outcome = draw(st.none() | st.sampled_from((JobPhase.SUCCEEDED, JobPhase.FAILED, JobPhase.CANCELLED)))
    spec = JobSpec(
        name=draw(texts),
        queue=draw(ids),
        priority_class=draw(ids),
        launched_by=draw(st.sampled_from(LaunchedBy)),
        alternatives=draw(st.lists(alternatives, min_size=1, max_size=3).map(tuple)),
        constraints=draw(constraints),
        training=training,
        inference=inference,
        max_duration_ms=draw(st.none() | counts),
        grace_period_ms=draw(times_ms),
        user_error_retries=draw(counts),
        preemptible=draw(st.booleans()),
        min_runtime_ms=draw(times_ms),
    )
    return Job(
        id=draw(ids),
        spec=spec,
        spec_generation=draw(counts),
        submitter=draw(texts),
        submitted_at_ms=draw(times_ms),
        request_key=draw(texts),
        cancel_requested_at_ms=draw(st.none() | times_ms),
        cancel_reason=draw(texts),
        hold=draw(st.none() | holds),
        outcome=outcome,
        finished_at_ms=None if outcome is None else draw(times_ms),
    )


deferrals = st.builds(
    Deferral,
    reason=st.sampled_from(DeferralReason),
    verdicts=tuples_of(st.tuples(st.sampled_from(PoolVerdict), counts)),
    accelerators_needed=counts,
    cheapest_cost_usd_micros_per_useful_hour=st.none() | micros,
    not_before_ms=st.none() | times_ms,
    planned_revision=counts,
    freeze=st.none() | freezes(),
    pool_id=st.none() | ids,
)


@st.composite
def replicas(draw: st.DrawFn) -> Replica:
    state = draw(st.sampled_from(ReplicaState))
    return Replica(
        id=draw(ids),
        job_id=draw(ids),
        index=draw(counts),
        state=state,
        live_run=draw(ids) if state in (ReplicaState.PLACED, ReplicaState.RUNNING) else None,
        last_run=draw(st.none() | ids),
        run_number=draw(counts),
        waiting_since_ms=draw(times_ms),
        deferral=draw(st.none() | deferrals),
        outcome=draw(st.sampled_from(EndReason)) if state is ReplicaState.DONE else None,
        pin=draw(st.none() | pins),
        preemptions=draw(tuples_of(st.builds(Preemption, at_ms=times_ms, pool_id=ids))),
    )


placements = st.builds(
    Placement,
    pool_id=ids,
    alternative_index=counts,
    accelerator=ids,
    slice_topology=st.none() | ids,
    tasks=counts,
    devices_per_task=counts,
    nodes=tuples_of(st.builds(NodeShare, node=counts, tasks=counts)),
    market=st.sampled_from(Market),
    charged_usd_micros_per_hour=micros,
    term_usd_micros_per_hour=micros,
    runner_up_pool_id=st.none() | ids,
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    state = draw(st.sampled_from(RunState))
    return Run(
        id=draw(ids),
        replica_id=draw(ids),
        job_id=draw(ids),
        run_number=draw(counts),
        run_token=draw(counts),
        placement=draw(placements),
        state=state,
        launcher_id=draw(ids),
        before_unreachable=RunState.RUNNING if state is RunState.UNREACHABLE else None,
        end_reason=draw(st.sampled_from(EndReason)) if state is RunState.ENDED else None,
        grace_period_ms=draw(counts),
        placed_at_ms=draw(times_ms),
        exit_code=draw(st.none() | st.integers(-255, 255)),
        message=draw(texts),
        after_runs=draw(tuples_of(ids)),
    )


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    market = draw(st.sampled_from(Market))
    is_rented = market is not Market.RESERVED
    nodes = st.lists(st.builds(NodeGroup, nodes=counts, devices_per_node=counts), min_size=1, max_size=2)
    slices = st.lists(
        st.builds(SliceGroup, slices=counts, topology=ids, accelerators_per_slice=counts),
        min_size=1,
        max_size=2,
    )
    is_sliced = draw(st.booleans())
    spec = PoolSpec(
        accelerator=draw(ids),
        provider=draw(ids),
        region=draw(ids),
        zone=draw(ids),
        market=market,
        node_groups=() if is_sliced else tuple(draw(nodes)),
        slice_groups=tuple(draw(slices)) if is_sliced else (),
        limit_accelerators=draw(counts) if is_rented else None,
        price_usd_micros_per_accelerator_hour=draw(micros),
        launcher_id=draw(ids),
        self_fencing=draw(st.booleans()),
    )
    status = st.builds(PoolStatus, ready=st.booleans(), unavailable_nodes=tuples_of(counts), message=texts)
    availability = st.builds(Availability, accelerators=counts, changed_at_ms=times_ms)
    pending_price = st.builds(
        PendingPrice, usd_micros_per_accelerator_hour=micros, principal=texts, asked_at_ms=times_ms
    )
    fall = st.builds(CapacityFall, principal=texts, fallen_at_ms=times_ms)
    cordon = st.builds(Cordon, reason=texts, principal=texts, cordoned_at_ms=times_ms)
    return Pool(
        id=draw(ids),
        spec=spec,
        status=draw(status),
        cordon=draw(st.none() | cordon),
        availability=draw(availability) if is_rented else None,
        deleting=draw(st.booleans()),
        node_cordons=draw(tuples_of(st.builds(NodeCordon, node=counts, cordon=cordon))),
        pending_price=draw(st.none() | pending_price),
        confirmed_accelerators=draw(counts if (fallen := draw(st.none() | fall)) else st.none() | counts),
        capacity_fall=fallen,
    )


sessions = st.builds(
    LauncherSession,
    launcher_id=ids,
    number=counts,
    principal=texts,
    lease_duration_ms=counts,
    renewal_number=counts,
    is_synchronised=st.booleans(),
    is_expired=st.booleans(),
    opened_at_ms=times_ms,
    version=texts,
)
guidances = st.builds(Guidance, shadow_prices=tuples_of(st.tuples(ids, micros)))
payloads = st.builds(
    LaunchPayload, job_id=ids, command=tuples_of(texts), env=tuples_of(st.tuples(texts, texts))
)
idempotency_records = st.builds(IdempotencyRecord, id=texts, content_hash=texts, resource_id=ids)

limits = st.none() | counts
quotas = st.builds(
    Quota, resource=ids, nominal=st.integers(0, 2**40), borrowing_limit=limits, lending_limit=limits
)
different_quotas = st.lists(quotas, max_size=3, unique_by=lambda quota: quota.resource).map(tuple)
queues = st.builds(Queue, name=ids, cohort=st.none() | ids, weight_permille=counts, quotas=different_quotas)
cohorts = st.builds(Cohort, name=ids, parent=st.none() | ids.map("above-{}".format), quotas=different_quotas)

mirrored_entities: st.SearchStrategy[Entity] = st.one_of(
    jobs(), replicas(), runs(), pools(), sessions, guidances, freezes(), queues, cohorts
)
entities: st.SearchStrategy[Entity] = st.one_of(mirrored_entities, payloads, idempotency_records)
