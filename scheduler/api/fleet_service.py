"""FleetService: decode, call, encode."""

from placewright.v1 import fleet_service_pb2 as wire
from placewright.v1 import fleet_service_pb2_grpc, pool_pb2
from scheduler.api.checks import checking
from scheduler.api.encode_job import encode_freeze, encode_replica, encode_run
from scheduler.api.freezes import decode_scope
from scheduler.api.interceptor import Context, caller
from scheduler.api.pools import decode_confirmed, decode_spec, encode_pool
from scheduler.api.positions import decode_etag, decode_page_token, encode_page_token
from scheduler.model.accelerator import Catalogue
from scheduler.model.ids import PoolId, ReplicaId, RunId
from scheduler.model.limits import NODE_CORDONS_MAX
from scheduler.model.view import PoolView
from scheduler.service.fleet import Caller, Fleet
from scheduler.service.freezes import Freezes
from scheduler.service.parts import Parts
from scheduler.service.pins import Pins


class FleetServicer(fleet_service_pb2_grpc.FleetServiceServicer):
    """The wire's side of `service.fleet`."""

    def __init__(self, parts: Parts, catalogue: Catalogue) -> None:
        self._parts, self._fleet, self._catalogue = parts, Fleet(parts), catalogue
        self._freezes, self._pins = Freezes(parts), Pins(parts)

    def _encoded(self, view: PoolView) -> pool_pb2.Pool:
        return encode_pool(view, self._parts.state.history)

    async def ApplyPool(self, request: wire.ApplyPoolRequest, context: Context) -> wire.ApplyPoolResponse:
        with checking() as checks:
            checks.id("pool_id", request.pool_id)
            checks.request_id("request_id", request.request_id)
            generation = decode_etag(request.etag, self._parts.state.history)
            spec = decode_spec(request.spec, self._catalogue, checks)
        assert spec is not None
        changed = await self._fleet.apply(
            PoolId(request.pool_id),
            spec,
            generation=generation,
            caller=_caller(request.request_id),
            confirms_jumps=request.confirm_jumps,
        )
        return wire.ApplyPoolResponse(pool=self._encoded(changed.view), revision=changed.revision)

    async def ConfirmPool(
        self, request: wire.ConfirmPoolRequest, context: Context
    ) -> wire.ConfirmPoolResponse:
        with checking() as checks:
            checks.id("pool_id", request.pool_id)
            checks.request_id("request_id", request.request_id)
            generation = decode_etag(request.etag, self._parts.state.history)
            price, accelerators = decode_confirmed(request, checks)
        changed = await self._fleet.confirm(
            PoolId(request.pool_id),
            price_usd_micros=price,
            accelerators=accelerators,
            generation=generation,
            caller=_caller(request.request_id),
        )
        return wire.ConfirmPoolResponse(pool=self._encoded(changed.view), revision=changed.revision)

    async def GetPool(self, request: wire.GetPoolRequest, context: Context) -> wire.GetPoolResponse:
        with checking() as checks:
            checks.id("pool_id", request.pool_id)
            min_revision = checks.revision(request.min_revision)
        view = await self._fleet.get(PoolId(request.pool_id), min_revision=min_revision)
        return wire.GetPoolResponse(pool=self._encoded(view))

    async def ListPools(self, request: wire.ListPoolsRequest, context: Context) -> wire.ListPoolsResponse:
        with checking() as checks:
            size = checks.page_size(request.page_size)
            min_revision = checks.revision(request.min_revision)
        after, _ = decode_page_token("page_token", request.page_token, None)
        page = await self._fleet.list_page(
            after=None if after is None else PoolId(after), size=size, min_revision=min_revision
        )
        return wire.ListPoolsResponse(
            pools=[self._encoded(view) for view in page.pools],
            next_page_token=encode_page_token(page.next_after, None, ""),
        )

    async def CordonPool(self, request: wire.CordonPoolRequest, context: Context) -> wire.CordonPoolResponse:
        with checking() as checks:
            checks.id("pool_id", request.pool_id)
            checks.text("reason", request.reason, minimum=1)
            checks.request_id("request_id", request.request_id)
        changed = await self._fleet.cordon(
            PoolId(request.pool_id), reason=request.reason, caller=_caller(request.request_id)
        )
        return wire.CordonPoolResponse(pool=self._encoded(changed.view), revision=changed.revision)

    async def UncordonPool(
        self, request: wire.UncordonPoolRequest, context: Context
    ) -> wire.UncordonPoolResponse:
        with checking() as checks:
            checks.id("pool_id", request.pool_id)
            checks.request_id("request_id", request.request_id)
        changed = await self._fleet.uncordon(PoolId(request.pool_id), caller=_caller(request.request_id))
        return wire.UncordonPoolResponse(pool=self._encoded(changed.view), revision=changed.revision)

    async def CordonNodes(
        self, request: wire.CordonNodesRequest, context: Context
    ) -> wire.CordonNodesResponse:
        with checking() as checks:
            checks.id("pool_id", request.pool_id)
            nodes = checks.nodes("node_names", request.node_names, NODE_CORDONS_MAX)
            checks.text("reason", request.reason, minimum=1)
            checks.request_id("request_id", request.request_id)
        changed = await self._fleet.cordon_nodes(
            PoolId(request.pool_id), nodes, reason=request.reason, caller=_caller(request.request_id)
        )
        return wire.CordonNodesResponse(pool=self._encoded(changed.view), revision=changed.revision)

    async def UncordonNodes(
        self, request: wire.UncordonNodesRequest, context: Context
    ) -> wire.UncordonNodesResponse:
        with checking() as checks:
            checks.id("pool_id", request.pool_id)
            nodes = checks.nodes("node_names", request.node_names, NODE_CORDONS_MAX)
            checks.request_id("request_id", request.request_id)
        changed = await self._fleet.uncordon_nodes(
            PoolId(request.pool_id), nodes, caller=_caller(request.request_id)
        )
        return wire.UncordonNodesResponse(pool=self._encoded(changed.view), revision=changed.revision)

    async def DeletePool(self, request: wire.DeletePoolRequest, context: Context) -> wire.DeletePoolResponse:
        with checking() as checks:
            checks.id("pool_id", request.pool_id)
            checks.request_id("request_id", request.request_id)
            generation = decode_etag(request.etag, self._parts.state.history)
        changed = await self._fleet.delete(
            PoolId(request.pool_id), generation=generation, caller=_caller(request.request_id)
        )
        return wire.DeletePoolResponse(pool=self._encoded(changed.view), revision=changed.revision)

    async def FreezePlanning(
        self, request: wire.FreezePlanningRequest, context: Context
    ) -> wire.FreezePlanningResponse:
        with checking() as checks:
            scope, target = decode_scope(request.scope, checks)
            checks.text("reason", request.reason, minimum=1)
            checks.request_id("request_id", request.request_id)
        freeze, revision = await self._freezes.freeze(
            scope, target, reason=request.reason, caller=_caller(request.request_id)
        )
        message = None if freeze is None else encode_freeze(freeze)
        return wire.FreezePlanningResponse(freeze=message, revision=revision)

    async def UnfreezePlanning(
        self, request: wire.UnfreezePlanningRequest, context: Context
    ) -> wire.UnfreezePlanningResponse:
        with checking() as checks:
            scope, target = decode_scope(request.scope, checks)
            checks.request_id("request_id", request.request_id)
        revision = await self._freezes.unfreeze(scope, target, caller=_caller(request.request_id))
        return wire.UnfreezePlanningResponse(revision=revision)

    async def ListFreezes(
        self, request: wire.ListFreezesRequest, context: Context
    ) -> wire.ListFreezesResponse:
        with checking() as checks:
            min_revision = checks.revision(request.min_revision)
        found = await self._freezes.list_all(min_revision=min_revision)
        return wire.ListFreezesResponse(freezes=[encode_freeze(freeze) for freeze in found])

    async def PinReplica(self, request: wire.PinReplicaRequest, context: Context) -> wire.PinReplicaResponse:
        with checking() as checks:
            checks.id("replica_id", request.replica_id)
            if request.pool_id:
                checks.id("pool_id", request.pool_id)
            checks.text("reason", request.reason, minimum=1)
            checks.request_id("request_id", request.request_id)
        changed = await self._pins.pin(
            ReplicaId(request.replica_id),
            PoolId(request.pool_id) if request.pool_id else None,
            reason=request.reason,
            caller=_caller(request.request_id),
        )
        return wire.PinReplicaResponse(replica=encode_replica(changed.view), revision=changed.revision)

    async def UnpinReplica(
        self, request: wire.UnpinReplicaRequest, context: Context
    ) -> wire.UnpinReplicaResponse:
        with checking() as checks:
            checks.id("replica_id", request.replica_id)
            checks.request_id("request_id", request.request_id)
        changed = await self._pins.unpin(ReplicaId(request.replica_id), caller=_caller(request.request_id))
        return wire.UnpinReplicaResponse(replica=encode_replica(changed.view), revision=changed.revision)

    async def ForceEndRun(
        self, request: wire.ForceEndRunRequest, context: Context
    ) -> wire.ForceEndRunResponse:
        with checking() as checks:
            checks.id("run_id", request.run_id)
            checks.text("reason", request.reason, minimum=1)
            checks.request_id("request_id", request.request_id)
        run, revision = await self._fleet.force_end_run(
            RunId(request.run_id), reason=request.reason, caller=_caller(request.request_id)
        )
        return wire.ForceEndRunResponse(run=encode_run(run), revision=revision)


def _caller(request_id: str) -> Caller:
    return Caller(principal=caller().principal, request_id=request_id)
