"""The link that tests break: what each fault does to connections before, during and after it."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from scheduler.bench.faulty_link import FaultyLink, a_faulty_link

SHORT_S = 0.2
DELAY_S = 0.3


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with suppress(ConnectionResetError):
            while received := self.request.recv(1_000):
                self.request.sendall(received)


@pytest.fixture
def link() -> Iterator[FaultyLink]:
    """To a server that echoes."""
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, args=(SHORT_S,), daemon=True).start()
        with a_faulty_link(server.server_address[1]) as made:
            yield made
        server.shutdown()


def connected(link: FaultyLink) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def echoed(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(len(text))


def is_silent(connection: socket.socket) -> bool:
    connection.settimeout(SHORT_S)
    try:
        connection.sendall(b"?")
        connection.recv(1)
    except TimeoutError:
        return True
    return False


def test_it_forwards_both_ways_and_the_end_too(link: FaultyLink) -> None:
    with connected(link) as connection:
        assert echoed(connection, b"hello") == b"hello"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def test_a_delay_holds_back_each_direction_until_it_is_mended(link: FaultyLink) -> None:
    with connected(link) as connection:
        link.delay(DELAY_S)
        began_s = time.monotonic()
        assert echoed(connection, b"slow") == b"slow"
        assert time.monotonic() - began_s >= 2 * DELAY_S
        link.mend()
        began_s = time.monotonic()
        assert echoed(connection, b"fast") == b"fast"
        assert time.monotonic() - began_s < 2 * DELAY_S


def test_a_cut_resets_what_is_open_and_refuses_what_is_new(link: FaultyLink) -> None:
    with connected(link) as connection:
        assert echoed(connection, b"before") == b"before"
        link.cut()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connected(link)
    link.mend()
    with connected(link) as connection:
        assert echoed(connection, b"after") == b"after"


def test_what_hung_stays_open_and_hangs_for_ever_and_what_is_new_works(link: FaultyLink) -> None:
    with connected(link) as before:
        assert echoed(before, b"before") == b"before"
        link.half_open()
        with connected(link) as during:
            assert is_silent(before)
            assert is_silent(during)
            link.mend()
            with connected(link) as after:
                assert echoed(after, b"after") == b"after"
            assert is_silent(before)
            assert is_silent(during)
