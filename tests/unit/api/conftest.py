"""A real gRPC server over a cell in this process, and raw stubs to it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import pytest

from placewright.v1 import (
    fleet_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    launcher_service_pb2_grpc,
)
from scheduler.api.auth import Authenticator
from scheduler.api.decode_job import Vocabulary
from scheduler.api.server import Server
from scheduler.catalog.load import load_catalogue
from scheduler.model.priority import DEFAULT_PRIORITY_CLASS
from tests.builders import PRIORITY_CLASSES
from tests.cell import Cell, a_cell, what_ifs_of

VOCABULARY = Vocabulary(
    catalogue=load_catalogue(),
    priority_classes=tuple(PRIORITY_CLASSES),
    default_priority_class=DEFAULT_PRIORITY_CLASS,
)


@dataclass
class Wire:
    """The cell, a channel to its server, and the stubs of its three services."""

    cell: Cell
    channel: grpc.aio.Channel
    jobs: job_service_pb2_grpc.JobServiceStub
    fleet: fleet_service_pb2_grpc.FleetServiceStub
    launchers: launcher_service_pb2_grpc.LauncherServiceStub


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with a_cell() as cell:
        server = Server(
            cell.parts,
            VOCABULARY,
            authenticator=Authenticator(None),
            metrics=cell.metrics,
            what_ifs=what_ifs_of(cell),
        )
        port = server.listen("127.0.0.1:0", None)
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Wire(
                cell,
                channel,
                job_service_pb2_grpc.JobServiceStub(channel),
                fleet_service_pb2_grpc.FleetServiceStub(channel),
                launcher_service_pb2_grpc.LauncherServiceStub(channel),
            )
        await server.drain(0)


def a_submission(**spec: object) -> job_service_pb2.JobSubmission:
    """A good submission, with these fields of its spec instead."""
    fields: dict[str, object] = {
        "name": "name",
        "alternatives": [job_pb2.Alternative(accelerator="h100", count=8)],
        "training": job_pb2.Training(),
        **spec,
    }
    return job_service_pb2.JobSubmission(
        spec=job_pb2.JobSpec(**fields),  # type: ignore[arg-type]  # as the test says
        payload=job_pb2.LaunchPayload(command=["train"]),
        request_id="request-1",
    )
