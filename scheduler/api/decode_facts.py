"""What a launcher noted of a run, from protobuf."""

from placewright.v1 import job_pb2
from placewright.v1 import launcher_service_pb2 as wire
from scheduler.api import enums
from scheduler.api.checks import NODE_NAME, Checks, shown
from scheduler.model.ids import AcceleratorName, JobId, PoolId
from scheduler.model.job import Market
from scheduler.model.limits import (
    ALTERNATIVES_MAX,
    DEVICES_PER_TASK_MAX,
    NODES_PER_POOL_MAX,
    REPLICAS_MAX,
    TASKS_PER_REPLICA_MAX,
)
from scheduler.model.run import NodeShare, Placement
from scheduler.model.transitions.adoption import RunFacts

RUN_NUMBER_MAX = 2**31 - 1
ASSIGNMENT = "facts.placement.assignments[0]"


def decode_facts(message: wire.RunFacts, checks: Checks) -> RunFacts | None:
    """The facts; None where they are not of this version's making, so that the run cannot be adopted."""
    if len(message.placement.assignments) != 1 or len(message.placement.assignments[0].task_groups) != 1:
        return None
    checks.id("facts.job_id", message.job_id)
    grace_period_ms = checks.duration_ms("facts.grace_period", message.grace_period, minimum=0)
    return RunFacts(
        job_id=JobId(message.job_id),
        replica_index=checks.within("facts.replica_index", message.replica_index, 0, REPLICAS_MAX - 1),
        run_number=checks.within("facts.run_number", message.run_number, 1, RUN_NUMBER_MAX),
        placement=_placement(message.placement, checks),
        grace_period_ms=grace_period_ms or 0,
        claimed_at_ms=checks.time_ms("facts.claimed_at", message.claimed_at),
    )


def _placement(message: job_pb2.Placement, checks: Checks) -> Placement:
    assignment = message.assignments[0]
    group, field = assignment.task_groups[0], f"{ASSIGNMENT}.task_groups[0]"
    checks.id(f"{ASSIGNMENT}.pool_id", assignment.pool_id)
    return Placement(
        pool_id=PoolId(assignment.pool_id),
        alternative_index=checks.within(
            "facts.placement.alternative_index", message.alternative_index, 0, ALTERNATIVES_MAX - 1
        ),
        accelerator=AcceleratorName(assignment.accelerator),
        slice_topology=assignment.slice_topology or None,
        role=group.role,
        tasks=checks.within(f"{field}.tasks", group.tasks, 1, TASKS_PER_REPLICA_MAX),
        devices_per_task=checks.within(
            f"{field}.devices_per_task", group.devices_per_task, 1, DEVICES_PER_TASK_MAX
        ),
        nodes=tuple(
            _share(share, checks, field=f"{field}.nodes[{index}]") for index, share in enumerate(group.nodes)
        ),
        market=enums.MARKETS.to_model(assignment.market) or Market.RESERVED,
        charged_usd_micros_per_hour=assignment.charged_usd_micros_per_hour,
        term_usd_micros_per_hour=0,  # why it was placed there is lost
    )


def _share(message: job_pb2.NodeShare, checks: Checks, *, field: str) -> NodeShare:
    node = 0
    if NODE_NAME.fullmatch(message.node) is None:
        checks.add(f"{field}.node", f'must be a name such as "0", got {shown(message.node)}')
    else:
        node = checks.within(f"{field}.node", int(message.node), 0, NODES_PER_POOL_MAX - 1)
    return NodeShare(
        node=node, tasks=checks.within(f"{field}.tasks", message.tasks, 1, TASKS_PER_REPLICA_MAX)
    )
