"""What is deployed fits together: compose file, image, Prometheus and Grafana."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dashboards.build import OVERVIEW
from scheduler.settings import Settings

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SCHEDULER: dict[str, Any] = COMPOSE["services"]["scheduler"]


def promtool(*arguments: str) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed; it comes with Prometheus")
    done = subprocess.run(
        [tool, *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_follows_the_compose_specification() -> None:
    tool = shutil.which("check-jsonschema")
    if tool is None:
        pytest.skip("check-jsonschema is not installed; it carries the schema of the compose specification")
    command = [tool, "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_its_configuration() -> None:
    promtool("check", "config", "prometheus.yml")


def test_alerts_fire_when_they_should_and_not_before() -> None:
    promtool("test", "rules", "alerts_test.yml")


def test_prometheus_scrapes_where_the_scheduler_serves_metrics() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())

    (job,) = config["scrape_configs"]
    replicas = [
        name for name, service in COMPOSE["services"].items() if service["image"] == SCHEDULER["image"]
    ]
    assert len(replicas) == 2
    assert job["static_configs"] == [{"targets": [f"{name}:7462" for name in replicas]}]
    assert "--metrics-listen=0.0.0.0:7462" in SCHEDULER["command"]


def test_replicas_answer_at_different_ports_of_the_machine() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]

    published = [port.rpartition(":")[0].rpartition(":")[2] for port in ports]
    assert len(published) == len(set(published))


def test_the_scheduler_is_started_with_options_that_it_has() -> None:
    serve, *options = SCHEDULER["command"]

    names = {option.removeprefix("--").partition("=")[0].replace("-", "_") for option in options}
    assert serve == "serve"
    assert names <= set(Settings.model_fields)


def test_a_scheduler_that_answers_the_network_has_tls_and_tokens() -> None:
    for option, secret in (
        ("tls-certificate", "tls_certificate"),
        ("tls-key", "tls_key"),
        ("token-file", "tokens"),
    ):
        assert f"--{option}=/run/secrets/{secret}" in SCHEDULER["command"]
        assert secret in SCHEDULER["secrets"]
        assert secret in COMPOSE["secrets"]


def test_the_store_answers_only_what_is_on_disk_and_forgets_nothing() -> None:
    command = COMPOSE["services"]["valkey"]["command"]

    for option, value in (
        ("--appendonly", "yes"),
        ("--appendfsync", "always"),
        ("--maxmemory-policy", "noeviction"),
    ):
        assert command[command.index(option) + 1] == value


def test_what_services_need_is_declared_and_there() -> None:
    for name, service in COMPOSE["services"].items():
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"]), name
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], (
                mount
            )


def test_grafana_finds_its_source_and_its_boards() -> None:
    provisioning = DEPLOY / "grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())["datasources"]
    (boards,) = yaml.safe_load((provisioning / "dashboards/placewright.yaml").read_text())["providers"]
    mounts = COMPOSE["services"]["grafana"]["volumes"]

    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert f"./{OVERVIEW.parent.name}:{boards['options']['path']}:ro" in mounts


def test_the_image_is_built_in_stages_and_runs_as_nobody_special() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()

    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert "USER placewright" in lines
    assert not any("PYTHONOPTIMIZE" in line for line in lines if not line.startswith("#"))
