"""Freezes from protobuf to model."""

from placewright.v1 import job_pb2
from scheduler.api.checks import Checks
from scheduler.model.brakes import FreezeScope


def decode_scope(message: job_pb2.FreezeScope, checks: Checks) -> tuple[FreezeScope, str]:
    """The scope and its target; CELL when something is wrong, which `checks` then holds."""
    match message.WhichOneof("scope"):
        case "pool_id":
            checks.id("scope.pool_id", message.pool_id)
            return FreezeScope.POOL, message.pool_id
        case "queue":
            checks.id("scope.queue", message.queue)
            return FreezeScope.QUEUE, message.queue
        case "cell" if message.cell:
            return FreezeScope.CELL, ""
        case _:
            checks.add("scope", "must say one of cell (true), pool_id or queue, got none")
            return FreezeScope.CELL, ""
