"""The composition root: builds the parts, joins them, runs them, drains them."""

import asyncio
import gc
import os
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from hashlib import sha256
from pathlib import Path

import grpc
import structlog

from scheduler.api.auth import Authenticator, Identity, Role
from scheduler.api.decode_job import Vocabulary
from scheduler.api.server import STREAMING_RPCS, UNARY_RPCS, Server, TlsFiles
from scheduler.catalog.fleet import FleetFile, load_fleet
from scheduler.catalog.load import load_catalogue
from scheduler.control.leader import Leader
from scheduler.control.tools import ControlSettings, Tools
from scheduler.mirror.comparison import Comparison
from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import IllegalTransition, StoreUnavailable
from scheduler.model.ids import CellId, Principal
from scheduler.model.priority import DEFAULT_PRIORITY_CLASS, DEFAULT_PRIORITY_CLASSES
from scheduler.model.queue import Cohort, Queue
from scheduler.model.records import Key, Kind, key_of
from scheduler.planner_process.process import ProcessPlanner
from scheduler.ports import SHADOW_HOLDER_PREFIX, Leadership
from scheduler.service.fleet import Caller, Fleet
from scheduler.service.parts import Parts
from scheduler.service.quotas import Quotas
from scheduler.service.whatif import WhatIfs
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


class Share(StrEnum):
    """What of a cell's work a process does; every process has a mirror, /metrics and /readyz."""

    ALL = "serve"
    API = "api"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a running service answers; `grpc` is None for a process without API."""

    grpc: str | None
    metrics: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of one process.

    Attributes:
        leader: None in a process that only serves the API.
        server: None in a process that only controls.
        stop: set when the process is told to end; it is not ready from then on.
    """

    settings: Settings
    clock: SystemClock
    metrics: Metrics
    mirror: Mirror
    comparison: Comparison
    parts: Parts
    leader: Leader | None
    server: Server | None
    fleet_file: FleetFile
    stop: asyncio.Event


async def serve(
    settings: Settings,
    share: Share,
    *,
    on_ready: Callable[[Addresses], None],
    more_handlers: Sequence[grpc.GenericRpcHandler] = (),
) -> None:
    """Do a share of a cell's work in this process until SIGTERM or SIGINT; then drain and return."""
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    stop = _stop_signal()
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(build(settings, share, stop=stop))
        if service.server is not None:
            service.server.add(more_handlers)
        telemetry = _telemetry_server(service)
        stack.callback(telemetry.stop)
        addresses = _listen(service, telemetry)
        telemetry.start()
        async with asyncio.TaskGroup() as tasks:
            following = [
                tasks.create_task(service.mirror.run()),
                tasks.create_task(service.comparison.run()),
                tasks.create_task(_observe(service)),
            ]
            leading = [] if service.leader is None else [tasks.create_task(service.leader.run())]
            starting = tasks.create_task(_start(service, lambda: on_ready(addresses)))
            await stop.wait()
            starting.cancel()
            await _drain(service, leading)
            for task in following:
                task.cancel()


def _listen(service: Service, telemetry: TelemetryServer) -> Addresses:
    settings = service.settings
    metrics_host, _ = split_address(settings.metrics_listen)
    metrics = f"http://{metrics_host}:{telemetry.port}/metrics"
    if service.server is None:
        return Addresses(grpc=None, metrics=metrics)
    try:
        port = service.server.listen(settings.listen, _tls(settings))
    except RuntimeError:
        raise InvalidSettings(f"listen: {settings.listen} cannot be bound; is it in use?") from None
    return Addresses(grpc=f"{split_address(settings.listen)[0]}:{port}", metrics=metrics)


async def _start(service: Service, announce: Callable[[], None]) -> None:
    await _create_missing(service)
    if service.server is not None:
        await service.server.start()
    announce()


async def _drain(service: Service, leading: Sequence[asyncio.Task[None]]) -> None:
    """Let another lead at once, while streams end and calls under way finish."""
    log.info("draining")
    for task in leading:
        task.cancel()
    if service.server is not None:
        await service.server.drain(DRAIN_SECONDS)
    await asyncio.gather(*leading, return_exceptions=True)


@asynccontextmanager
async def build(settings: Settings, share: Share, *, stop: asyncio.Event) -> AsyncIterator[Service]:
    """Every part of that share, joined and not yet running.

    Raises:
        InvalidSettings
    """
    if settings.redis_url is None and share is not Share.ALL:
        raise InvalidSettings(
            f"redis_url: must be given for `{share}`, which shares its store with other processes; "
            f"the embedded Valkey is for one `{Share.ALL}` alone"
        )
    fleet_file = load_fleet(settings.fleet) if settings.fleet is not None else FleetFile()
    metrics, clock = Metrics(rpcs=UNARY_RPCS, streams=STREAMING_RPCS), SystemClock()
    async with AsyncExitStack() as stack:
        server_of = None if share is Share.CONTROL else _api(settings, metrics, stack)
        redis_store = await open_store(settings, stack)
        store = MeasuredStore(redis_store, metrics.store)
        mirror = await Mirror.load(store, clock, metrics)
        parts = Parts(
            cell=CellId(settings.cell),
            store=store,
            mirror=mirror,
            clock=clock,
            random_bytes=secrets.token_bytes,
            retention=settings.retention,
        )
        leadership = MeasuredLeadership(redis_store, metrics.store)
        yield Service(
            settings=settings,
            clock=clock,
            metrics=metrics,
            mirror=mirror,
            comparison=Comparison(
                store, mirror, clock, metrics.store, every_ms=settings.mirror_comparison_ms
            ),
            parts=parts,
            leader=None if share is Share.API else await _leader(settings, parts, leadership, metrics, stack),
            server=None if server_of is None else server_of(parts),
            fleet_file=fleet_file,
            stop=stop,
        )


def _api(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> Callable[[Parts], Server]:
    """What makes the gRPC server, once the settings that it alone needs are known to be good."""
    authenticator = Authenticator(_tokens(settings))
    vocabulary = Vocabulary(
        catalogue=load_catalogue(),
        priority_classes=tuple(priority_class.name for priority_class in DEFAULT_PRIORITY_CLASSES),
        default_priority_class=DEFAULT_PRIORITY_CLASS,
    )
    planner = ProcessPlanner({c.name: c for c in DEFAULT_PRIORITY_CLASSES}, settings.disruption)
    stack.push_async_callback(planner.close)  # its process is started by the first question

    def server_of(parts: Parts) -> Server:
        what_ifs = WhatIfs(parts, planner, settings.limits)
        return Server(parts, vocabulary, authenticator=authenticator, metrics=metrics, what_ifs=what_ifs)

    return server_of


async def _leader(
    settings: Settings, parts: Parts, leadership: Leadership, metrics: Metrics, stack: AsyncExitStack
) -> Leader:
    planner = ProcessPlanner({c.name: c for c in DEFAULT_PRIORITY_CLASSES}, settings.disruption)
    stack.push_async_callback(planner.close)
    await planner.warm_up()
    tools = Tools(
        store=parts.store,
        mirror=parts.mirror,
        clock=parts.clock,
        planner=planner,
        metrics=metrics,
        settings=ControlSettings(
            limits=settings.limits,
            watchdog_ms=settings.watchdog_ms,
            mass_loss_guard_runs=settings.mass_loss_guard_runs,
            is_shadow=settings.shadow,
            retention=settings.retention,
        ),
    )
    if settings.shadow:
        log.warning("shadow_mode", places="nothing", gives_way_to="any leader that is no shadow")
    holder = f"{SHADOW_HOLDER_PREFIX if settings.shadow else ''}{_holder(settings)}"
    return Leader(tools, leadership, holder=holder)


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


async def _create_missing(service: Service) -> None:
    """Pools, cohorts and queues of the fleet file that are not there; what is there stays as it is."""
    fleet, quotas, file = Fleet(service.parts), Quotas(service.parts), service.fleet_file
    for pool in file.pools:
        apply_pool = partial(fleet.apply, pool.id, pool.spec, generation=None)
        await _create(service, Key(Kind.POOL, pool.id), apply_pool)
    holders: list[Cohort | Queue] = [*file.cohorts, *file.queues]
    for holder in holders:
        await _create(service, key_of(holder), partial(quotas.apply, holder, generation=None))


async def _create(service: Service, key: Key, apply: Callable[..., Awaitable[object]]) -> None:
    """Apply it as often as the store needs, unless it is there; what the cell has no room for is left out."""
    while service.mirror.state.record(key) is None:
        caller = Caller(principal=FLEET_PRINCIPAL, request_id=secrets.token_hex(16))
        try:
            await apply(caller=caller)
            log.info("fleet_file_applied", kind=key.kind, name=key.id)
        except StoreUnavailable as error:
            log.info("fleet_file_waits", kind=key.kind, name=key.id, error=str(error))
            await service.clock.sleep(FLEET_RETRY_MS)
        except IllegalTransition as error:
            log.warning("fleet_file_refused", kind=key.kind, name=key.id, error=str(error))
            return


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
    address = service.settings.metrics_listen
    host, port = split_address(address)
    try:
        return TelemetryServer(
            service.metrics.registry, unready=lambda: _unready_because(service), host=host, port=port
        )
    except OSError as error:
        raise InvalidSettings(f"metrics_listen: {address} cannot be bound: {error.strerror}") from None


def _unready_because(service: Service) -> str:
    """Why no calls should be sent here now; empty while they should."""
    if service.stop.is_set():
        return "draining"
    if not service.mirror.is_connected:
        return "the mirror does not reach the store"
    return "" if service.mirror.is_caught_up else "the mirror is behind the store"


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
