"""What a Redis server says of itself, and whether it keeps what it acknowledges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from scheduler.model.errors import PlacewrightError
from scheduler.state.link import CommandRefused, Link

REDIS_VERSION_MIN = (7, 0)
VALKEY_VERSION_MIN = (8, 0)
NO_REPLICATION_ID = "0" * 40


class StoreMisconfigured(PlacewrightError):
    """The Redis server would not keep what it acknowledges, or cannot run the store's functions."""


class Durability(StrEnum):
    """What has happened before a write is answered."""

    EVERYSEC = "everysec"  # about two seconds may go with the machine
    ALWAYS = "always"  # on the server's disk
    REPLICATED = "replicated"  # on the server's disk, and received by replicas


APPENDFSYNC_ALLOWED: Mapping[Durability, Sequence[str]] = {
    Durability.EVERYSEC: ("everysec", "always"),
    Durability.ALWAYS: ("always",),
    Durability.REPLICATED: ("always",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server process.

    Attributes:
        run_id: changes with each start.
        is_alone: a master without replicas that was not promoted from one: what it has is all there is.
    """

    run_id: str
    is_alone: bool


async def inspect(link: Link, durability: Durability) -> Server:
    """The server behind the link.

    Raises:
        StoreMisconfigured: naming the setting, its value and what is allowed.
    """
    facts = _facts_of(cast(bytes, await link.call("INFO")))
    _check_version(facts)
    await _check_settings(link, durability)
    is_alone = (
        facts["redis_mode" if "redis_mode" in facts else "server_mode"] == "standalone"
        and facts["role"] == "master"
        and facts["connected_slaves"] == "0"
        and facts["master_replid2"] == NO_REPLICATION_ID
    )
    return Server(run_id=facts["run_id"], is_alone=is_alone)


def _facts_of(info: bytes) -> Mapping[str, str]:
    lines = (line.partition(":") for line in info.decode().splitlines())
    return {name: value for name, separator, value in lines if separator}


def _check_version(facts: Mapping[str, str]) -> None:
    is_valkey = "valkey_version" in facts
    text = facts["valkey_version" if is_valkey else "redis_version"]
    required = VALKEY_VERSION_MIN if is_valkey else REDIS_VERSION_MIN
    if tuple(int(part) for part in text.split(".")[:2]) < required:
        name = "Valkey" if is_valkey else "Redis"
        raise StoreMisconfigured(f"{name} must be {required[0]}.{required[1]} or newer, got {text}")


async def _check_settings(link: Link, durability: Durability) -> None:
    wanted: dict[str, Sequence[str]] = {
        "maxmemory-policy": ("noeviction",),
        "appendonly": ("yes",),
        "appendfsync": APPENDFSYNC_ALLOWED[durability],
    }
    if durability is not Durability.EVERYSEC:
        wanted["no-appendfsync-on-rewrite"] = ("no",)
    try:
        reply = cast(list[bytes], await link.call("CONFIG", "GET", *wanted))
    except CommandRefused as error:
        raise StoreMisconfigured(f"CONFIG GET must be allowed, to check durability: {error}") from None
    settings = {name.decode(): value.decode() for name, value in zip(reply[::2], reply[1::2], strict=True)}
    for name, allowed in wanted.items():
        if settings[name] not in allowed:
            raise StoreMisconfigured(
                f"{name} of the Redis server must be {' or '.join(allowed)} for durability "
                f"{durability}, got {settings[name]}"
            )
