"""The composition root: builds the parts, joins them, runs them, drains them."""

import asyncio
import gc
import os
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import structlog

from scheduler.api.auth import Authenticator, Identity, Role
from scheduler.api.decode_job import Vocabulary
from scheduler.api.server import STREAMING_RPCS, UNARY_RPCS, Server, TlsFiles
from scheduler.catalog.fleet import FleetPool, load_fleet
from scheduler.catalog.load import load_catalogue
from scheduler.control.leader import Leader
from scheduler.control.tools import ControlSettings, Tools
from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import StoreUnavailable
from scheduler.model.ids import CellId, Principal
from scheduler.model.priority import DEFAULT_PRIORITY_CLASS, DEFAULT_PRIORITY_CLASSES
from scheduler.planner_process.process import ProcessPlanner
from scheduler.service.fleet import Caller, Fleet
from scheduler.service.parts import Parts
from scheduler.settings import InvalidSettings, Settings, load_tokens, split_address
from scheduler.state.embedded import embedded_valkey
from scheduler.state.redis_store import RedisSettings, RedisStore, open_redis_store
from scheduler.state.server import Durability
from scheduler.state.topology import StoreTlsFiles
from scheduler.telemetry.http import TelemetryServer
from scheduler.telemetry.measured_store import MeasuredLeadership, MeasuredStore
from scheduler.telemetry.metrics import Metrics

log = structlog.get_logger()

DRAIN_SECONDS = 5.0
OBSERVE_EVERY_MS = 1_000
OBSERVE_PAUSE_FACTOR = 20  # looking at a large state takes at most a twentieth of the time
FLEET_RETRY_MS = 500
COLLECTOR_THRESHOLDS = (100_000, 50, 100)  # records are many, live long and form no cycles
FLEET_PRINCIPAL = Principal("fleet-file")


class SystemClock:
    """The time of this machine."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    async def sleep(self, duration_ms: int) -> None:
        await asyncio.sleep(duration_ms / 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a running service answers."""

    grpc: str
    metrics: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of one process."""

    settings: Settings
    clock: SystemClock
    metrics: Metrics
    mirror: Mirror
    parts: Parts
    leader: Leader
    server: Server
    fleet_pools: tuple[FleetPool, ...]


async def serve(settings: Settings, *, on_ready: Callable[[Addresses], None]) -> None:
    """Run a whole service in this process until SIGTERM or SIGINT; then drain and return."""
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    stop = _stop_signal()
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(build(settings))
        telemetry = _telemetry_server(service)
        stack.callback(telemetry.stop)
        port = service.server.listen(settings.listen, _tls(settings))
        host, _ = split_address(settings.listen)
        metrics_host, _ = split_address(settings.metrics_listen)
        telemetry.start()
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(service.mirror.run()),
                tasks.create_task(service.leader.run()),
                tasks.create_task(_observe(service)),
            ]
            await _create_missing_pools(service)
            await service.server.start()
            on_ready(
                Addresses(grpc=f"{host}:{port}", metrics=f"http://{metrics_host}:{telemetry.port}/metrics")
            )
            await stop.wait()
            log.info("draining")
            await service.server.drain(DRAIN_SECONDS)
            for task in running:
                task.cancel()


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Service]:
    """Every part, joined and not yet running."""
    authenticator = Authenticator(_tokens(settings))
    catalogue = load_catalogue()
    fleet_pools = load_fleet(settings.fleet) if settings.fleet is not None else ()
    metrics, clock = Metrics(rpcs=UNARY_RPCS, streams=STREAMING_RPCS), SystemClock()
    priority_classes = {c.name: c for c in DEFAULT_PRIORITY_CLASSES}
    async with AsyncExitStack() as stack:
        redis_store = await open_store(settings, stack)
        store = MeasuredStore(redis_store, metrics.store)
        mirror = await Mirror.load(store, clock, metrics)
        parts = Parts(
            cell=CellId(settings.cell),
            store=store,
            mirror=mirror,
            clock=clock,
            random_bytes=secrets.token_bytes,
        )
        planner = ProcessPlanner(priority_classes)
        stack.push_async_callback(planner.close)
        tools = Tools(
            store=store,
            mirror=mirror,
            clock=clock,
            planner=planner,
            metrics=metrics,
            settings=ControlSettings(
                limits=settings.limits,
                watchdog_ms=settings.watchdog_ms,
                mass_loss_guard_runs=settings.mass_loss_guard_runs,
            ),
        )
        vocabulary = Vocabulary(
            catalogue=catalogue,
            priority_classes=tuple(priority_classes),
            default_priority_class=DEFAULT_PRIORITY_CLASS,
        )
        yield Service(
            settings=settings,
            clock=clock,
            metrics=metrics,
            mirror=mirror,
            parts=parts,
            leader=Leader(tools, MeasuredLeadership(redis_store, metrics.store), holder=_holder(settings)),
            server=Server(parts, vocabulary, authenticator=authenticator, metrics=metrics),
            fleet_pools=fleet_pools,
        )


async def open_store(settings: Settings, stack: AsyncExitStack) -> RedisStore:
    """The store that the settings name, closed with the stack."""
    if settings.redis_url is None:
        data_dir = settings.data_dir.expanduser() / settings.cell
        url = (await stack.enter_async_context(embedded_valkey(data_dir))).url
    else:
        url = settings.redis_url.get_secret_value()
    redis_settings = RedisSettings(
        url=url,
        cell=CellId(settings.cell),
        durability=Durability(settings.durability),
        replicas_in_sync=settings.replicas_in_sync,
        tls=StoreTlsFiles(
            ca=settings.redis_tls_ca, certificate=settings.redis_tls_certificate, key=settings.redis_tls_key
        ),
    )
    log.info(
        "store_opening",
        cell=settings.cell,
        embedded=settings.redis_url is None,
        durability=settings.durability,
    )
    return await stack.enter_async_context(open_redis_store(redis_settings))


async def _create_missing_pools(service: Service) -> None:
    """Pools of the fleet file that are not there; a pool that is there stays as it is."""
    fleet = Fleet(service.parts)
    for pool in service.fleet_pools:
        while service.mirror.state.pool(pool.id) is None:
            caller = Caller(principal=FLEET_PRINCIPAL, request_id=secrets.token_hex(16))
            try:
                await fleet.apply(pool.id, pool.spec, generation=None, caller=caller)
                log.info("pool_created", pool=pool.id)
            except StoreUnavailable as error:
                log.info("pool_creation_waits", pool=pool.id, error=str(error))
                await service.clock.sleep(FLEET_RETRY_MS)


async def _observe(service: Service) -> None:
    """Keep the gauges that follow from the state up to date."""
    clock = service.clock
    while True:
        started_ms = clock.monotonic_ms()
        for _ in service.metrics.observe_state(service.mirror.state, clock.now_ms()):
            await asyncio.sleep(0)
        took_ms = clock.monotonic_ms() - started_ms
        await clock.sleep(max(OBSERVE_EVERY_MS, OBSERVE_PAUSE_FACTOR * took_ms))


def _telemetry_server(service: Service) -> TelemetryServer:
    host, port = split_address(service.settings.metrics_listen)
    return TelemetryServer(
        service.metrics.registry, is_ready=lambda: service.mirror.is_connected, host=host, port=port
    )


def _tokens(settings: Settings) -> dict[str, Identity] | None:
    if settings.token_file is None:
        return None
    identities = {}
    for entry in load_tokens(settings.token_file):
        unknown = set(entry.roles) - set(Role)
        if unknown:
            allowed = ", ".join(Role)
            raise InvalidSettings(
                f"{settings.token_file}: roles of {entry.principal} must be of {allowed}, "
                f"got {sorted(unknown)}"
            )
        digest = sha256(entry.token.get_secret_value().encode()).hexdigest()
        roles = frozenset(Role(role) for role in entry.roles)
        identities[digest] = Identity(principal=Principal(entry.principal), roles=roles)
    return identities


def _tls(settings: Settings) -> TlsFiles | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return TlsFiles(certificate_chain=_read(settings.tls_certificate), private_key=_read(settings.tls_key))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSettings(f"{path}: {error.strerror}") from None


def _holder(settings: Settings) -> str:
    """Names this process for as long as it lives.

    Over an embedded store the name stays: who has the data directory knows that the one before is dead,
    and goes on with its leader lease instead of waiting it out.
    """
    if settings.redis_url is None:
        return f"{socket.gethostname()}-embedded"
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
