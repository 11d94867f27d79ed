"""A real Prometheus that scrapes one target each second, and its query API."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pytest

START_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server at `url`, such as http://127.0.0.1:9090."""

    url: str

    def values(self, query: str, *, window_s: int) -> list[float]:
        """Every figure (NaN is none) that a range query over the last `window_s` seconds finds."""
        now = time.time()
        answer = self._ask("query_range", query=query, start=now - window_s, end=now, step=1)
        samples = [float(sample[1]) for series in answer["result"] for sample in series["values"]]
        return [sample for sample in samples if not isnan(sample)]

    def label_values(self, series: str, label: str) -> list[str]:
        """What a `label_values(series, label)` variable offers."""
        found: list[str] = self._ask(f"label/{label}/values", **{"match[]": series})
        return found

    def wait_for(self, query: str, *, timeout_s: float) -> None:
        """Return once the query finds something above 0."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if any(value > 0 for value in self.values(query, window_s=2)):
                return
            time.sleep(0.2)
        raise AssertionError(f"{query} found nothing above 0 within {timeout_s} s")

    def _ask(self, page: str, **parameters: object) -> Any:
        try:
            with urlopen(f"{self.url}/api/v1/{page}?{urlencode(parameters)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None


@contextmanager
def prometheus_scraping(metrics_url: str, folder: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes `metrics_url` as job placewright each second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed")
    config = folder / "prometheus.yml"
    config.write_text(json.dumps(_config(metrics_url)))
    address = f"127.0.0.1:{_free_port()}"
    arguments = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)
        try:
            _wait_until_ready(f"http://{address}/-/ready")
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()
            process.wait(timeout=10)


def _config(metrics_url: str) -> dict[str, object]:
    target = urlsplit(metrics_url)
    job = {
        "job_name": "placewright",
        "metrics_path": target.path,
        "static_configs": [{"targets": [target.netloc]}],
    }
    return {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str) -> None:
    end = time.monotonic() + START_S_MAX
    while True:
        try:
            with urlopen(url, timeout=1):
                return
        except (URLError, ConnectionError, TimeoutError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
