"""All records of a cell to a file and back."""

import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TextIO

import typer

from scheduler.app import open_store
from scheduler.codec.records import SCHEMA_VERSION, UnreadableRecord, decode_entity, encode_entity
from scheduler.model.errors import PlacewrightError
from scheduler.model.job import Job
from scheduler.model.records import UNMIRRORED, Entity, Key, Kind, key_of
from scheduler.model.repairs import Repair, repairs_of
from scheduler.model.state import State
from scheduler.model.transaction import Committed, Fence, Put, Transaction
from scheduler.settings import Settings
from scheduler.state.redis_store import RedisStore

FORMAT = "placewright-state-1"
LEASE_MS = 600_000
RECORDS_PER_NOTE = 10_000
RECORDS_PER_TRANSACTION = 100


class BadStateFile(PlacewrightError):
    """The file is no export that this version reads, or the store may not be written to now."""


async def load(settings: Settings) -> State:
    """The whole state of the cell."""
    async with AsyncExitStack() as stack:
        return await (await open_store(settings, stack)).load()


async def repair(settings: Settings) -> list[Repair]:
    """Mend the cell's records, round by round, until nothing more can be; what was changed.

    Raises:
        BadStateFile: a service leads the cell.
    """
    done: list[Repair] = []
    async with AsyncExitStack() as stack:
        store = await open_store(settings, stack)
        fence = await _leading(store, stack)
        while repairs := list(repairs_of(await store.load(), fence=fence)):
            if not done:
                await store.renew_history(fence)
                repairs = list(repairs_of(await store.load(), fence=fence))
            outcomes = await store.transact([one.transaction for one in repairs])
            mended = [one for one, o in zip(repairs, outcomes, strict=True) if isinstance(o, Committed)]
            if not mended:
                raise BadStateFile("the records change while they are mended: stop the service first")
            done += mended
    return done


async def _leading(store: RedisStore, stack: AsyncExitStack) -> Fence:
    fence = await store.acquire(f"state-command-{os.getpid()}", duration_ms=LEASE_MS)
    if fence is None:
        raise BadStateFile("a service leads this cell: stop it first")
    stack.push_async_callback(store.release, fence)
    return fence


async def export_state(settings: Settings, file: Path) -> int:
    """Write every record to the file, whole or not at all; how many there were."""
    partial = file.with_name(f".{file.name}.partial")
    count = 0
    async with AsyncExitStack() as stack:
        store = await open_store(settings, stack)
        state = await store.load()
        header = {"format": FORMAT, "cell": settings.cell, "history": state.history}
        lines = stack.enter_context(
            os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w")
        )
        _write_line(lines, {**header, "revision": state.revision, "schema": SCHEMA_VERSION})
        async for entity in _entities(store, state):
            encoded = base64.b64encode(encode_entity(entity)).decode()
            _write_line(lines, {"kind": key_of(entity).kind, "entity": encoded})
            count += 1
            _note_progress(count)
        _write_line(lines, {"records": count})
        lines.flush()
        os.fsync(lines.fileno())
    partial.replace(file)
    return count


async def _entities(store: RedisStore, state: State) -> AsyncIterator[Entity]:
    """Every record, those of jobs followed by what only the store has of them."""
    for kind in (kind for kind in Kind if kind not in UNMIRRORED):
        for record in state.records(kind):
            yield record.entity
            if isinstance(record.entity, Job):
                job = record.entity
                for key in (Key(Kind.PAYLOAD, job.id), Key(Kind.IDEMPOTENCY, job.request_key)):
                    unmirrored = await store.get(key)
                    if unmirrored is not None:
                        yield unmirrored


def _write_line(lines: TextIO, values: dict[str, object]) -> None:
    lines.write(json.dumps(values) + "\n")


def _note_progress(count: int) -> None:
    if count % RECORDS_PER_NOTE == 0:
        typer.echo(f"{count} records", err=True)


async def import_state(settings: Settings, file: Path) -> int:
    """Write the records of the file into an empty store; how many there were.

    Raises:
        BadStateFile: the store is led or not empty, or the file is no export of this cell.
    """
    entities = _entities_of(file, settings.cell)  # read whole first: a broken file writes nothing
    async with AsyncExitStack() as stack:
        store = await open_store(settings, stack)
        fence = await _leading(store, stack)
        state = await store.load()
        if any(state.count(kind) for kind in Kind if kind not in UNMIRRORED):
            raise BadStateFile(f"the store of cell {settings.cell} is not empty; import needs an empty one")
        await store.renew_history(fence)  # launchers must say what they hold, and no run token comes again
        for start in range(0, len(entities), RECORDS_PER_TRANSACTION):
            puts = tuple(Put(entity=entity) for entity in entities[start : start + RECORDS_PER_TRANSACTION])
            (outcome,) = await store.transact([Transaction(puts=puts, fence=fence)])
            if not isinstance(outcome, Committed):
                raise BadStateFile(f"after {start} records another leader came: {outcome}")
            _note_progress(start)
    return len(entities)


def _entities_of(file: Path, cell: str) -> list[Entity]:
    """The records of an export.

    Raises:
        BadStateFile
    """
    try:
        header, *lines, footer = [json.loads(line) for line in file.read_text().splitlines()]
        if header["format"] != FORMAT or footer != {"records": len(lines)}:
            raise BadStateFile(f"{file} is not a whole export of format {FORMAT}")
        if header["cell"] != cell:
            raise BadStateFile(f"{file} is of cell {header['cell']}, not of {cell}: job ids begin with it")
        return [decode_entity(Kind(line["kind"]), base64.b64decode(line["entity"])) for line in lines]
    except (OSError, ValueError, KeyError, TypeError, UnreadableRecord) as error:
        raise BadStateFile(f"{file} cannot be read: {error}") from None
