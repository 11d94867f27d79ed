"""A price that jumps and a capacity that falls, as callers see them: pending, confirmed, withdrawn."""

import grpc
import pytest

from placewright.v1 import fleet_service_pb2 as wire_pb2
from placewright.v1 import pool_pb2
from scheduler.api.pools import encode_spec
from scheduler.model.ids import PoolId
from scheduler.model.pool import PoolStatus
from scheduler.model.replica import ReplicaState
from scheduler.model.run import RunState
from tests.builders import DOLLAR, a_rented_pool, a_spec
from tests.cell import Cell
from tests.unit.api.conftest import Wire

POOL = a_rented_pool("pool", limit_accelerators=64)
WRONG = 1_000 * 900_000  # a thousand times too high


def an_apply(price: int, *, request_id: str, confirm_jumps: bool = False) -> wire_pb2.ApplyPoolRequest:
    spec = encode_spec(POOL.spec)
    spec.price_usd_micros_per_accelerator_hour = price
    return wire_pb2.ApplyPoolRequest(
        pool_id="pool", spec=spec, request_id=request_id, confirm_jumps=confirm_jumps
    )


async def apply(wire: Wire, price: int, *, request_id: str, confirm_jumps: bool = False) -> pool_pb2.Pool:
    request = an_apply(price, request_id=request_id, confirm_jumps=confirm_jumps)
    return (await wire.fleet.ApplyPool(request)).pool


def price_of(pool: pool_pb2.Pool) -> int:
    return pool.spec.price_usd_micros_per_accelerator_hour


def jumps_of(pool: pool_pb2.Pool) -> list[tuple[str, int, int]]:
    kinds = pool_pb2.PoolJumpKind
    return [(kinds.Name(j.what), j.confirmed, j.unconfirmed) for j in pool.unconfirmed_jumps]


async def charged_for_a_new_job(cell: Cell) -> int:
    job_id = (await cell.submit(a_spec(priority_class="frontier"))).view.job.id
    await cell.run_cycle()
    return cell.live_run(job_id).placement.charged_usd_micros_per_hour


async def test_a_price_that_jumps_is_planned_with_only_once_it_is_confirmed(wire: Wire) -> None:
    assert jumps_of(await apply(wire, 900_000, request_id="first")) == []
    await wire.cell.attach()
    pending = await apply(wire, 900, request_id="wrong")

    assert price_of(pending) == 900_000
    assert jumps_of(pending) == [("POOL_JUMP_KIND_PRICE", 900_000, 900)]
    assert await charged_for_a_new_job(wire.cell) == 8 * 900_000

    confirm = wire_pb2.ConfirmPoolRequest(
        pool_id="pool", price_usd_micros_per_accelerator_hour=900, etag=pending.etag, request_id="confirm"
    )
    confirmed = (await wire.fleet.ConfirmPool(confirm)).pool
    assert (price_of(confirmed), jumps_of(confirmed)) == (900, [])
    assert await charged_for_a_new_job(wire.cell) == 8 * 900
    again = (await wire.fleet.ConfirmPool(confirm)).pool
    assert (price_of(again), again.etag) == (900, confirmed.etag)


async def test_the_right_price_withdraws_the_wrong_one(wire: Wire) -> None:
    await apply(wire, 900_000, request_id="first")
    await apply(wire, WRONG, request_id="wrong")

    right = await apply(wire, 950_000, request_id="right")

    assert (price_of(right), jumps_of(right)) == (950_000, [])


async def test_a_jump_said_to_be_meant_is_in_force_at_once(wire: Wire) -> None:
    await apply(wire, 900_000, request_id="first")

    meant = await apply(wire, WRONG, request_id="meant", confirm_jumps=True)

    assert (price_of(meant), jumps_of(meant)) == (WRONG, [])


async def test_another_price_than_the_one_that_waits_is_not_confirmed(wire: Wire) -> None:
    await apply(wire, 900_000, request_id="first")
    await apply(wire, WRONG, request_id="wrong")
    request = wire_pb2.ConfirmPoolRequest(
        pool_id="pool", price_usd_micros_per_accelerator_hour=3 * DOLLAR, request_id="confirm"
    )

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.fleet.ConfirmPool(request)

    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert str(WRONG) in (caught.value.details() or "")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "must be said"),
        ({"price_usd_micros_per_accelerator_hour": -1}, "must be from 0"),
        ({"accelerators": -1}, "accelerators"),
    ],
)
async def test_a_confirmation_says_what_it_confirms(wire: Wire, fields: dict[str, int], named: str) -> None:
    request = wire_pb2.ConfirmPoolRequest(pool_id="pool", request_id="confirm", **fields)  # type: ignore[arg-type]  # as the test says

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.fleet.ConfirmPool(request)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert named in (caught.value.details() or "")


async def test_a_stale_etag_confirms_nothing(wire: Wire) -> None:
    first = await apply(wire, 900_000, request_id="first")
    await apply(wire, WRONG, request_id="wrong")
    request = wire_pb2.ConfirmPoolRequest(
        pool_id="pool", price_usd_micros_per_accelerator_hour=WRONG, etag=first.etag, request_id="confirm"
    )

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.fleet.ConfirmPool(request)

    assert caught.value.code() is grpc.StatusCode.ABORTED


async def test_a_capacity_reported_away_is_shown_and_stops_nothing_and_can_be_confirmed(wire: Wire) -> None:
    cell = wire.cell
    await apply(wire, 900_000, request_id="first")
    session = await cell.attach()
    running = await cell.running_job(session)
    nothing = PoolStatus(ready=True, unavailable_nodes=tuple(range(8)))
    await cell.launchers.report_pool(session, PoolId("pool"), nothing)
    waiting = (await cell.submit()).view.job.id
    await cell.run_cycle()

    pool = (await wire.fleet.GetPool(wire_pb2.GetPoolRequest(pool_id="pool"))).pool
    assert jumps_of(pool) == [("POOL_JUMP_KIND_CAPACITY", 64, 0)]
    assert pool.unconfirmed_jumps[0].principal == "launcher"
    assert cell.live_run(running).state is RunState.RUNNING
    assert cell.replica(waiting).state is ReplicaState.WAITING

    request = wire_pb2.ConfirmPoolRequest(pool_id="pool", accelerators=0, request_id="confirm")
    assert jumps_of((await wire.fleet.ConfirmPool(request)).pool) == []
    await cell.run_cycle()
    assert cell.live_run(running).state is RunState.RUNNING
