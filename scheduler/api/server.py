"""The gRPC server: services, health, reflection, one interceptor."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from placewright.v1 import (
    fleet_service_pb2,
    fleet_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
    launcher_service_pb2,
    launcher_service_pb2_grpc,
    planner_service_pb2,
    planner_service_pb2_grpc,
    queue_service_pb2,
    queue_service_pb2_grpc,
)
from scheduler.api.auth import Authenticator
from scheduler.api.decode_job import Vocabulary
from scheduler.api.draining import Draining
from scheduler.api.fleet_service import FleetServicer
from scheduler.api.interceptor import Interceptor
from scheduler.api.job_service import JobServicer
from scheduler.api.launcher_service import LauncherServicer
from scheduler.api.planner_service import PlannerServicer
from scheduler.api.queue_service import QueueServicer
from scheduler.model.limits import MESSAGE_BYTES_MAX
from scheduler.service.explanations import Explanations
from scheduler.service.parts import Parts
from scheduler.service.whatif import WhatIfs
from scheduler.telemetry.metrics import Metrics

SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name]
    for module, name in (
        (job_service_pb2, "JobService"),
        (fleet_service_pb2, "FleetService"),
        (queue_service_pb2, "QueueService"),
        (planner_service_pb2, "PlannerService"),
        (launcher_service_pb2, "LauncherService"),
    )
)
UNARY_RPCS = tuple(
    f"{service.name}/{method.name}"
    for service in SERVICES
    for method in service.methods
    if not method.server_streaming
)
STREAMING_RPCS = tuple(
    f"{service.name}/{method.name}"
    for service in SERVICES
    for method in service.methods
    if method.server_streaming
)
CONCURRENT_RPCS_MAX = 10_000
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX * 4),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM texts of the server's certificate chain and key."""

    certificate_chain: bytes
    private_key: bytes


class Server:
    """Listens at once; answers from `start` to `drain`."""

    def __init__(
        self,
        parts: Parts,
        vocabulary: Vocabulary,
        *,
        authenticator: Authenticator,
        metrics: Metrics,
        what_ifs: WhatIfs,
    ) -> None:
        self._health = health.aio.HealthServicer()
        self._draining = Draining()
        self._server = grpc.aio.server(
            interceptors=[Interceptor(authenticator, metrics, self._draining)],
            options=OPTIONS,
            maximum_concurrent_rpcs=CONCURRENT_RPCS_MAX,
        )
        job_service_pb2_grpc.add_JobServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated
            JobServicer(parts, vocabulary, Explanations(parts, what_ifs)), self._server
        )
        fleet_service_pb2_grpc.add_FleetServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated
            FleetServicer(parts, vocabulary.catalogue), self._server
        )
        queue_service_pb2_grpc.add_QueueServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated
            QueueServicer(parts, vocabulary.catalogue), self._server
        )
        planner_service_pb2_grpc.add_PlannerServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated
            PlannerServicer(parts, what_ifs, vocabulary), self._server
        )
        launcher_service_pb2_grpc.add_LauncherServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated
            LauncherServicer(parts), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*(s.full_name for s in SERVICES), health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    def add(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Answer more RPCs than those of the service; before `start`."""
        self._server.add_generic_rpc_handlers(handlers)

    def listen(self, address: str, tls: TlsFiles | None) -> int:
        """Bind; the port that was taken.

        Raises:
            RuntimeError: the address cannot be bound.
        """
        if tls is None:
            return self._server.add_insecure_port(address)
        credentials = grpc.ssl_server_credentials([(tls.private_key, tls.certificate_chain)])
        return self._server.add_secure_port(address, credentials)

    async def start(self) -> None:
        await self._server.start()
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)

    async def drain(self, grace_s: float) -> None:
        """Say so, end streams, finish what is under way, cut off what takes longer than `grace_s`."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._draining.begin()
        await self._server.stop(grace_s)

    async def _set_health(self, status: int) -> None:
        for name in ("", *(service.full_name for service in SERVICES)):
            await self._health.set(name, status)
