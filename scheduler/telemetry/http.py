"""Metrics and health over HTTP: /metrics, /healthz and /readyz on a thread of their own."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

PLAIN_TEXT = "text/plain; charset=utf-8"


class TelemetryServer:
    """Serves a registry and two health pages until it is stopped.

    /healthz answers 200 as long as the process can answer; /readyz 503 while `unready` gives a reason.
    """

    def __init__(
        self, registry: CollectorRegistry, *, unready: Callable[[], str], host: str, port: int
    ) -> None:
        """Listen at once; `port` 0 takes a free one."""
        # They would double the series and no board uses them.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
        handler = partial(_Handler, registry, unready)
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, name="telemetry", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    def __init__(self, registry: CollectorRegistry, unready: Callable[[], str], *connection: object) -> None:
        self._registry, self._unready = registry, unready
        super().__init__(*connection)  # type: ignore[arg-type]  # as the server hands them over

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._answer(HTTPStatus.OK, encode(self._registry), content_type)
            case "/healthz":
                self._answer(HTTPStatus.OK, b"ok\n", PLAIN_TEXT)
            case "/readyz" if reason := self._unready():
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {reason}\n".encode(), PLAIN_TEXT)
            case "/readyz":
                self._answer(HTTPStatus.OK, b"ready\n", PLAIN_TEXT)
            case _:
                pages = b"there are /metrics, /healthz and /readyz\n"
                self._answer(HTTPStatus.NOT_FOUND, pages, PLAIN_TEXT)

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a scrape is no event."""
