"""A job is checked when it is made: all faults at once, each with field, value and what is allowed."""

from datetime import timedelta
from typing import Any

import pytest

from placewright import Alternative, InvalidRequest, Job, Market
from placewright.decode import job_view
from placewright.job import submission_of
from placewright.v1 import job_pb2


def a_job(**others: Any) -> Job:
    return Job(**{"name": "pretrain", "accelerators": "h100:64", "command": ["train"], **others})


def test_every_field_comes_back_in_the_view() -> None:
    job = a_job(
        accelerators=["tpu-v5p:4x4x8", "h100:4x8", Alternative("h100:64", speed_permille=900)],
        queue="research",
        priority_class="high",
        estimated_duration="6h",
        max_duration=timedelta(days=2),
        grace_period="45s",
        user_error_retries=3,
        preemptible=False,
        min_runtime="20m",
        locations=["gcp/us-east5/*", "aws/*/*"],
        denied_locations="azure",
        pools=["a"],
        denied_pools=["b"],
        markets=["reserved", Market.SPOT, "on-demand"],
        residency=["eu"],
    )

    spec = job_view(job_pb2.Job(effective_spec=submission_of(job, request_id="r").spec)).spec

    assert [str(alternative) for alternative in spec.alternatives] == [
        "tpu-v5p:4x4x8",
        "h100:4x8",
        "h100:64 at 0.9x",
    ]
    assert (spec.queue, spec.priority_class, spec.kind) == ("research", "high", "training")
    assert (spec.estimated_duration, spec.max_duration) == (timedelta(hours=6), timedelta(days=2))
    assert (spec.grace_period, spec.user_error_retries) == (timedelta(seconds=45), 3)
    assert (spec.preemptible, spec.min_runtime) == (False, timedelta(minutes=20))
    assert [str(location) for location in spec.locations] == ["gcp/us-east5/*", "aws/*/*"]
    assert [str(location) for location in spec.denied_locations] == ["azure/*/*"]
    assert (spec.pools, spec.denied_pools, spec.residency) == (("a",), ("b",), ("eu",))
    assert spec.markets == ("reserved", "spot", "on_demand")


def test_an_inference_job_has_replicas() -> None:
    submission = submission_of(a_job(kind="inference", replicas=4), request_id="r")

    assert submission.spec.inference.max_replicas == 4


def test_retries_are_said_only_where_they_are_wanted() -> None:
    none = submission_of(a_job(), request_id="r").spec
    two = submission_of(a_job(user_error_retries=2), request_id="r").spec

    assert not none.HasField("retry")
    assert two.retry.user_errors == 2


def test_a_mapping_of_accelerators_is_any_of() -> None:
    submission = submission_of(a_job(accelerators={"H100": 64, "tpu-v5p": 128}), request_id="r")

    assert [(a.accelerator, a.count) for a in submission.spec.alternatives] == [
        ("h100", 64),
        ("tpu-v5p", 128),
    ]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"name": "My Job"}, "name: must be [a-z0-9-], 1 to 63 characters, got 'My Job'"),
        ({"name": ""}, "name: must be [a-z0-9-], 1 to 63 characters, got ''"),
        ({"queue": "A"}, "queue: must be [a-z0-9-], 1 to 63 characters, got 'A'"),
        ({"command": "a b"}, "command: must be a list of at least one string, got 'a b'"),
        ({"command": []}, "command: must be a list of at least one string, got []"),
        ({"command": ["a", 1]}, "command[1]: must be a string, got 1"),
        ({"env": {"N": 1}}, "env.N: must be a string, got 1"),
        ({"env": ["N=1"]}, "env: must be a mapping of names to strings, got ['N=1']"),
        (
            {"accelerators": []},
            "accelerators: must name at least one accelerator, such as 'h100:64', got none",
        ),
        (
            {"accelerators": ["h100", 8]},
            "accelerators[1]: must be a string such as 'h100:64' or an Alternative, got 8",
        ),
        (
            {"accelerators": Alternative("h100", speed_permille=0)},
            "accelerators.speed_permille: must be a whole number of at least 1, got 0",
        ),
        ({"kind": "batch"}, "kind: must be training or inference, got 'batch'"),
        ({"replicas": 2}, "replicas: a training job has 1 replica, got 2; kind='inference' has more"),
        (
            {"kind": "inference", "replicas": 0},
            "replicas: must be a whole number of at least 1, got 0",
        ),
        (
            {"kind": "inference", "estimated_duration": "1h"},
            "estimated_duration: is for training jobs; an inference job runs until it is cancelled",
        ),
        ({"markets": "cheap"}, "markets[0]: 'cheap' is not a market; allowed are reserved, on_demand, spot"),
        ({"locations": ["*"]}, "locations[0]: '*' means everywhere; leave it out instead"),
        ({"pools": ["a", "B"]}, "pools[1]: must be [a-z0-9-], 1 to 63 characters, got 'B'"),
        ({"user_error_retries": -1}, "user_error_retries: must be a whole number of at least 0, got -1"),
        ({"user_error_retries": True}, "user_error_retries: must be a whole number of at least 0, got True"),
        (
            {"max_duration": 3600},
            "max_duration: 3600 is not a duration; allowed are numbers with w, d, h, m, s or ms: '1h30m'",
        ),
    ],
)  # fmt: skip
def test_a_fault_names_field_value_and_what_is_allowed(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        a_job(**values)

    assert [str(field) for field in caught.value.fields] == [fault]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        a_job(name="", command=[], kind="batch")

    assert sorted(field.field for field in caught.value.fields) == ["command", "kind", "name"]
