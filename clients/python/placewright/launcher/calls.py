"""The four RPCs of LauncherService as a launcher calls them."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
import grpc.aio

from placewright.errors import InvalidRequest
from placewright.launcher.log import log
from placewright.settings import Tls, read_certificates
from placewright.targets import ANY_REPLICA, target_of
from placewright.v1 import launcher_service_pb2 as pb
from placewright.v1.launcher_service_pb2_grpc import LauncherServiceStub

AttachCall = grpc.aio.StreamStreamCall[pb.AttachRequest, pb.AttachResponse]
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
CLOSING_S = 30.0  # longer than any deadline
SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [ANY_REPLICA]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the service is spoken to.

    Attributes:
        token: gives the bearer token of each call, so that it may be replaced; None sends none.
        tls: None speaks in the clear.
    """

    token: Callable[[], str] | None = None
    tls: Tls | None = None


class LauncherCalls:
    """The RPCs over one channel. Each but Attach has a deadline.

    All raise `grpc.aio.AioRpcError`, or OSError while the token cannot be read.
    """

    def __init__(self, address: str, launcher_id: str, *, access: Access) -> None:
        self.launcher_id = launcher_id
        self._address = address
        self._access = access
        self._closing: set[asyncio.Task[None]] = set()
        self._channel = _channel(address, access.tls)
        self._stub = LauncherServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    def attach(self) -> AttachCall:
        """A new stream; the caller cancels it."""
        call: AttachCall = self._stub.Attach(metadata=self._metadata())
        return call

    async def claim(self, session: str, run_id: str, *, timeout_s: float) -> pb.ClaimRunResponse:
        """Take an offered run."""
        request = pb.ClaimRunRequest(launcher_id=self.launcher_id, session=session, run_id=run_id)
        response: pb.ClaimRunResponse = await self._stub.ClaimRun(
            request, timeout=timeout_s, metadata=self._metadata()
        )
        return response

    async def renew(self, session: str, *, timeout_s: float) -> pb.RenewRunsResponse:
        """Renew the lease."""
        request = pb.RenewRunsRequest(launcher_id=self.launcher_id, session=session)
        response: pb.RenewRunsResponse = await self._stub.RenewRuns(
            request, timeout=timeout_s, metadata=self._metadata()
        )
        return response

    async def report(
        self, session: str, reports: Sequence[pb.RunReport], *, timeout_s: float
    ) -> pb.ReportRunsResponse:
        """Report runs."""
        request = pb.ReportRunsRequest(launcher_id=self.launcher_id, session=session, reports=reports)
        response: pb.ReportRunsResponse = await self._stub.ReportRuns(
            request, timeout=timeout_s, metadata=self._metadata()
        )
        return response

    def reconnect(self) -> None:
        """Use a new connection from now on; what goes on over the old one has its deadline to finish.

        While the certificates cannot be read, the old one stays.
        """
        try:
            channel = _channel(self._address, self._access.tls)
        except (InvalidRequest, OSError) as error:
            log.warning("not_reconnected reason=%r", str(error))
            return
        closing = asyncio.ensure_future(self._channel.close(CLOSING_S))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._channel = channel
        self._stub = LauncherServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    async def close(self) -> None:
        """Close every connection, ending the calls under way."""
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._channel.close()

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._access.token
        return () if token is None else (("authorization", f"Bearer {token()}"),)


def _channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    target, own_options = target_of(address)
    options = [
        *own_options,
        ("grpc.use_local_subchannel_pool", 1),  # a new channel is a new connection
        ("grpc.service_config", SERVICE_CONFIG),  # to any replica, not always to the first
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
    ]
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    authorities, key, certificate = read_certificates(tls)
    credentials = grpc.ssl_channel_credentials(authorities, key, certificate)
    return grpc.aio.secure_channel(target, credentials, options=options)
