"""What-if with real processes: answered beside a leader, by a planner process of its own."""

import os
import signal
from pathlib import Path

import pytest

from placewright import DeadlineExceeded, DeferralReason, Job, NodeGroup, PoolSpec, SupposedPool
from scheduler.bench.running_cell import WITHIN_S, a_pool, a_running_cell, planners_of, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MORE = PoolSpec(
    accelerator="h100",
    provider="aws",
    region="us-east-1",
    zone="",
    market="on_demand",
    price_usd_micros_per_accelerator_hour=3_000_000,
    launcher_id="elsewhere",
    node_groups=[NodeGroup(nodes=1, devices_per_node=8)],
    limit_accelerators=8,
)
MORE_POOL = SupposedPool(pool_id="more", spec=MORE)


def a_job(name: str) -> Job:
    return Job(name=name, accelerators="h100:8", command=["sleep", "600"])


def test_questions_are_answered_beside_the_leader_and_change_nothing(tmp_path: Path) -> None:
    with a_running_cell(tmp_path, a_pool("own", nodes=1)) as cell, cell.client() as client:
        client.submit(a_job("first")).wait("running", timeout=WITHIN_S)
        second = client.submit(a_job("second"))
        assert cell.service is not None
        process_id = cell.service.process_id
        leaders = set(planners_of(process_id))
        assert len(leaders) == 1

        answer = client.plan_jobs([a_job("third")], pools=[MORE_POOL])

        (own,) = set(planners_of(process_id)) - leaders
        assert os.getpriority(os.PRIO_PROCESS, own) == 10
        (change,) = answer.changes  # the longest waiting comes first
        assert (change.job_id, str(change.before)[:6]) == (second.job_id, "waits:")
        assert change.after.placement is not None
        assert change.after.placement.pool_id == "more"
        deferral = answer.jobs[0].replicas[0].fate.deferral
        assert deferral is not None
        assert deferral.reason is DeferralReason.OUTBID
        paid = answer.after.paid_usd_micros_per_hour - answer.before.paid_usd_micros_per_hour
        assert paid == 8 * MORE.price_usd_micros_per_accelerator_hour
        wait_until(
            lambda: client.prices()[0].shadow_usd_micros_per_accelerator_hour > 0,
            "the pool has a shadow price",
        )
        assert len(list(client.list_jobs())) == 2
        assert [pool.pool_id for pool in client.pools()] == ["own"]

        os.kill(own, signal.SIGSTOP)
        with pytest.raises(DeadlineExceeded):
            client.plan_jobs(timeout=0.5)
        wait_until(lambda: own not in planners_of(process_id), "a stalled question is ended")
        assert client.plan_jobs([a_job("third")]).after.waiting == 2
        explained = client.explain_job(second.job_id)
        assert explained.waiting is not None
        assert [str(change) for change in explained.waiting.changes] == [
            "8 more accelerators free on pool own"
        ]
