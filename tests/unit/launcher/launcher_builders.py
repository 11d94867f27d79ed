"""Pools, runs and scripts for launcher tests."""

import itertools
import uuid

from google.protobuf.duration_pb2 import Duration

from placewright.v1 import job_pb2, pool_pb2
from placewright.v1 import launcher_service_pb2 as pb
from tests.unit.launcher.fake_launcher_service import FakeRun

POOL = "pool-a"
LAUNCHER = "laptop"
_tokens = itertools.count(1)


def a_pool(*, nodes: int = 1, devices: int = 8, self_fencing: bool = False) -> pool_pb2.PoolSpec:
    """A reserved pool of equal nodes."""
    group = pool_pb2.NodeGroup(nodes=nodes, devices_per_node=devices)
    return pool_pb2.PoolSpec(
        accelerator="h100", node_groups=[group], launcher_id=LAUNCHER, self_fencing=self_fencing
    )


def a_run(
    script: str, *, tasks: int = 1, devices: int = 1, command: list[str] | None = None, grace_ms: int = 5_000
) -> FakeRun:
    """An offered run whose tasks carry out a shell script, all on one node."""
    grace = Duration()
    grace.FromMilliseconds(grace_ms)
    placement = a_placement(tasks=tasks, devices=devices)
    offer = pb.DesiredRun(
        run_id=f"test-{uuid.uuid4().hex}-0-1",
        generation=1,
        desired=pb.DESIRED_STATE_RUN,
        placement=placement,
        grace_period=grace,
    )
    payload = job_pb2.LaunchPayload(command=command or ["sh", "-c", script], env={"GREETING": "hello"})
    return FakeRun(token=next(_tokens), offer=offer, payload=payload)


def a_placement(*, tasks: int = 1, devices: int = 1, node: str = "0") -> job_pb2.Placement:
    """One task group on one node of the pool."""
    group = job_pb2.TaskGroupPlacement(
        role="worker",
        tasks=tasks,
        devices_per_task=devices,
        nodes=[job_pb2.NodeShare(node=node, tasks=tasks)],
    )
    assignment = job_pb2.PoolAssignment(
        pool_id=POOL, accelerator="h100", accelerators=tasks * devices, task_groups=[group]
    )
    return job_pb2.Placement(assignments=[assignment])
