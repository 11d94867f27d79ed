"""A TCP link that can be made slow, be cut, or stay open while nothing gets through."""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

CHUNK_BYTES_MAX = 65_536
CALL_S_MAX = 10.0
LOOK_S = 0.01
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: the peer gets a reset

T = TypeVar("T")


@dataclass
class _Connection:
    """Both ends of what goes through; hung, it stays open and forwards nothing, nor that an end closed."""

    near: asyncio.StreamWriter | None = None
    far: asyncio.StreamWriter | None = None
    is_hung: bool = False

    def reset(self) -> None:
        for end in (self.near, self.far):
            if end is not None:
                if not end.transport.is_closing():
                    end.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE
                    )
                end.transport.abort()


class FaultyLink:
    """Forwards from a port of its own, which it keeps, to a port of this machine.

    Every change has happened when its method returns. Each replaces the one before.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._delay_s = 0.0
        self._is_half_open = False
        self._connections: list[_Connection] = []
        self._listener: socket.socket | None = None
        self._forwarding = set[asyncio.Task[None]]()
        self._end_of_hanging = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self._listen)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    # --- faults ---

    def mend(self) -> None:
        """Forward again; what hangs hangs for ever, and connections made from now on work."""
        self._call(self._mend)

    def delay(self, seconds: float) -> None:
        """Hold back everything for this long, in either direction."""

        async def change() -> None:
            await self._mend()
            self._delay_s = seconds

        self._call(change)

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""

        async def change() -> None:
            await self._mend()
            await self._refuse()
            self._reset_all()

        self._call(change)

    def half_open(self) -> None:
        """Forward nothing more of any connection, while all stay open and new ones are accepted."""

        async def change() -> None:
            await self._mend()
            self._is_half_open = True
            for connection in self._connections:
                connection.is_hung = True

        self._call(change)

    def close(self) -> None:
        self._call(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # --- on the thread of the loop ---

    def _call(self, change: Callable[[], Awaitable[T]]) -> T:
        async def called() -> T:
            return await change()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(CALL_S_MAX)

    # Not asyncio's server: closed while it accepts, it leaves the connection open (python/cpython#109564).

    async def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._loop.add_reader(self._listener, self._accept, self._listener)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the peer has gone again
            accepted, _ = listener.accept()
            connection = _Connection(is_hung=self._is_half_open)
            self._connections.append(connection)
            task = self._loop.create_task(self._forward(accepted, connection))
            self._forwarding.add(task)
            task.add_done_callback(self._forwarding.discard)

    async def _refuse(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    async def _mend(self) -> None:
        self._delay_s, self._is_half_open = 0.0, False
        if self._listener is None:
            await self._listen()

    async def _end(self) -> None:
        await self._refuse()
        self._end_of_hanging.set()
        while self._forwarding:
            self._reset_all()
            await asyncio.wait(self._forwarding, timeout=LOOK_S)
        await asyncio.sleep(LOOK_S)  # a transport that was reset is closed a turn later

    def _reset_all(self) -> None:
        for connection in self._connections:
            connection.reset()
        self._connections.clear()

    async def _forward(self, accepted: socket.socket, connection: _Connection) -> None:
        reader, connection.near = await asyncio.open_connection(sock=accepted)
        if connection in self._connections:  # else it was cut while it was accepted
            with suppress(OSError):
                await self._forward_both_ways(connection, reader, connection.near)
        connection.reset()
        if connection in self._connections:
            self._connections.remove(connection)

    async def _forward_both_ways(
        self, connection: _Connection, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter
    ) -> None:
        if connection.is_hung:
            await self._end_of_hanging.wait()
            return
        far_reader, connection.far = await asyncio.open_connection("127.0.0.1", self._target_port)
        if connection in self._connections:  # else it was cut while it was made
            await asyncio.gather(
                self._pump(connection, near_reader, connection.far), self._pump(connection, far_reader, near)
            )

    async def _pump(
        self, connection: _Connection, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """Forward one direction until its source has ended; its end is forwarded too."""
        while True:
            chunk = await source.read(CHUNK_BYTES_MAX)
            await asyncio.sleep(self._delay_s)
            if connection.is_hung:
                await self._end_of_hanging.wait()
                return
            if not chunk:
                break
            sink.write(chunk)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


@contextmanager
def a_faulty_link(target_port: int) -> Iterator[FaultyLink]:
    """A link that forwards, until it is told otherwise."""
    link = FaultyLink(target_port)
    try:
        yield link
    finally:
        link.close()
