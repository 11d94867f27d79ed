"""Which calls gRPC repeats by itself."""

import json

import pytest

from placewright.channel import SERVICE_CONFIG
from placewright.v1 import fleet_service_pb2, job_service_pb2, launcher_service_pb2

METHODS = [
    method
    for module in (job_service_pb2, fleet_service_pb2, launcher_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def repeats(service: str, method: str) -> bool:
    """Whether gRPC retries: an entry that names the method goes before the one of its service."""
    entries = json.loads(SERVICE_CONFIG)["methodConfig"]
    for wanted in ({"service": service, "method": method}, {"service": service}):
        for entry in entries:
            if wanted in entry["name"]:
                return "retryPolicy" in entry
    return False


@pytest.mark.parametrize("method", [m for m in METHODS if m.server_streaming], ids=lambda m: m.name)
def test_no_stream_is_repeated_by_grpc(method: object) -> None:
    assert not repeats(method.containing_service.full_name, method.name)


@pytest.mark.parametrize(
    "method",
    [
        m
        for m in METHODS
        if not m.server_streaming and m.containing_service.name in ("JobService", "FleetService")
    ],
    ids=lambda m: m.name,
)
def test_calls_of_people_are_repeated_by_grpc(method: object) -> None:
    assert repeats(method.containing_service.full_name, method.name)
