"""Settings: where they come from, and every fault told at once before anything starts."""

import os
from pathlib import Path

import pytest

from scheduler.settings import (
    InvalidSettings,
    LogLevel,
    is_loopback,
    load_settings,
    load_tokens,
    split_address,
)

TOKEN = "0123456789abcdef"
SECURE = {"tls_certificate": "c.pem", "tls_key": "k.pem", "token_file": "tokens.yaml"}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("PLACEWRIGHT_")]:
        monkeypatch.delenv(name)


def faults_of(**given: object) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(**given)
    return str(caught.value).splitlines()


def a_token_file(folder: Path, text: str | bytes, *, mode: int = 0o600) -> Path:
    path = folder / "tokens.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def entry(**fields: object) -> str:
    values = {"principal": "alice", "roles": ["user"], "token": TOKEN, **fields}
    return str({name: value for name, value in values.items() if value is not None})


def test_the_defaults_are_open_to_this_machine_alone() -> None:
    settings = load_settings()

    assert is_loopback(split_address(settings.listen)[0])
    assert is_loopback(split_address(settings.metrics_listen)[0])
    assert (settings.token_file, settings.tls_key, settings.redis_url) == (None, None, None)


def test_the_command_line_wins_over_the_environment_and_that_over_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLACEWRIGHT_CELL", "from-environment")
    monkeypatch.setenv("PLACEWRIGHT_LOG_LEVEL", "debug")

    settings = load_settings(cell="from-command-line", log_level=None)

    assert settings.cell == "from-command-line"
    assert settings.log_level is LogLevel.DEBUG
    assert settings.durability == "always"


def test_the_work_limit_is_what_the_planner_gets() -> None:
    assert load_settings(work_limit=0.5).limits.deterministic_time == 0.5


def test_how_long_finished_jobs_are_kept_can_be_set() -> None:
    retention = load_settings(retention_ms=60_000, retention_after_end_ms=30_000).retention

    assert (retention.after_submission_ms, retention.after_end_ms) == (60_000, 30_000)
    with pytest.raises(InvalidSettings, match=r"retention_ms: .* greater than or equal to 1000"):
        load_settings(retention_ms=0)


def test_a_variable_at_fault_is_told_like_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACEWRIGHT_WATCHDOG_MS", "soon")

    assert [fault.partition(":")[0] for fault in faults_of()] == ["watchdog_ms"]


def test_every_fault_is_told_at_once() -> None:
    faults = faults_of(
        cell="Main",
        listen="here",
        metrics_listen="127.0.0.1:metrics",
        durability="perhaps",
        replicas_in_sync=0,
        tls_certificate="c.pem",
        work_limit=0,
        watchdog_ms=99,
        mass_loss_guard_runs=-1,
        log_level="loud",
    )

    assert [fault.partition(":")[0] for fault in faults] == [
        "cell",
        "listen",
        "metrics_listen",
        "durability",
        "replicas_in_sync",
        "tls_key",
        "work_limit",
        "watchdog_ms",
        "mass_loss_guard_runs",
        "log_level",
    ]


@pytest.mark.parametrize("cell", ["", "a" * 21, "a_b", "a\n", "ä"])
def test_a_cells_name_must_fit_into_ids(cell: str) -> None:
    assert len(faults_of(cell=cell)) == 1


@pytest.mark.parametrize("work_limit", ["nan", "inf", "-1", "3601", "much"])
def test_a_work_limit_is_a_number_above_nothing_and_at_most_an_hour(work_limit: str) -> None:
    assert len(faults_of(work_limit=work_limit)) == 1


@pytest.mark.parametrize("given", [{"tls_key": "k.pem"}, {"tls_certificate": "c.pem"}])
def test_a_certificate_and_its_key_go_together(given: dict[str, str]) -> None:
    (fault,) = faults_of(**given)

    assert "tls_certificate and tls_key go together" in fault


@pytest.mark.parametrize("left_out", [(), ("token_file",), ("tls_key", "tls_certificate"), ("tls_key",)])
@pytest.mark.parametrize("listen", ["0.0.0.0:7461", "[::]:7461", "192.0.2.7:7461", "scheduler.example:7461"])
def test_anything_but_loopback_needs_tls_and_tokens(listen: str, left_out: tuple[str, ...]) -> None:
    given = {name: value for name, value in SECURE.items() if name not in left_out}

    if not left_out:
        assert load_settings(listen=listen, **given).listen == listen
        return
    (fault,) = faults_of(listen=listen, **given)
    assert f"listen is {listen}: anything but loopback needs" in fault


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.9.9.9:1", "[::1]:7461", "localhost:7461"])
def test_over_loopback_neither_is_needed(listen: str) -> None:
    assert load_settings(listen=listen).listen == listen


def test_metrics_may_be_open_to_others() -> None:
    assert load_settings(metrics_listen="0.0.0.0:9090").metrics_listen == "0.0.0.0:9090"


def test_a_stores_password_is_not_shown() -> None:
    assert "hush" not in repr(load_settings(redis_url="redis://:hush@store:6379"))


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:7461", ("127.0.0.1", 7461)),
        ("scheduler.example:0", ("scheduler.example", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize(
    "address",
    ["", "7461", ":7461", "host", "host:", "host:http", "host:65536", "host:-1", "host: 1", "host:²"],
)
def test_anything_else_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="must be HOST:PORT with a port from 0 to 65535, got"):
        split_address(address)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.example", "127.0.0.1.example"])
def test_what_may_be_reached_by_others_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_a_token_file_names_callers_their_roles_and_their_tokens(tmp_path: Path) -> None:
    both = f"tokens: [{entry()}, {entry(principal='ops@example', roles=['operator', 'user'])}]"

    alice, ops = load_tokens(a_token_file(tmp_path, both))

    assert (alice.principal, alice.roles, alice.token.get_secret_value()) == ("alice", ["user"], TOKEN)
    assert (ops.principal, ops.roles) == ("ops@example", ["operator", "user"])
    assert TOKEN not in repr(alice)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610, 0o601])
def test_a_token_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = a_token_file(tmp_path, f"tokens: [{entry()}]", mode=mode)

    with pytest.raises(InvalidSettings, match="chmod 600"):
        load_tokens(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_token_file_of_its_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    assert len(load_tokens(a_token_file(tmp_path, f"tokens: [{entry()}]", mode=mode))) == 1


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"nowhere\.yaml: No such file"):
        load_tokens(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("text", ["tokens: [", "\t- a", b"\xff\xfe\xfa", b"a: \x00"])
def test_a_token_file_that_is_not_yaml_is_said_to_be_so(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(InvalidSettings, match=r"tokens\.yaml: is not YAML"):
        load_tokens(a_token_file(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", ""),
        ("[]", ""),
        ("tokens: []", "tokens"),
        ("other: []", "tokens"),
        (f"tokens: [{entry(principal='a b')}]", "tokens.0.principal"),
        (f"tokens: [{entry(principal=None)}]", "tokens.0.principal"),
        (f"tokens: [{entry(roles=[])}]", "tokens.0.roles"),
        (f"tokens: [{entry(roles='user')}]", "tokens.0.roles"),
        (f"tokens: [{entry(token='short')}]", "tokens.0.token"),
        (f"tokens: [{entry()}, {entry(role='user')}]", "tokens.1.role"),
    ],
)
def test_a_fault_in_a_token_file_names_its_field(tmp_path: Path, text: str, field: str) -> None:
    path = a_token_file(tmp_path, text)

    with pytest.raises(InvalidSettings) as caught:
        load_tokens(path)

    assert f"{path}: {field}: " in str(caught.value)


def test_every_fault_in_a_token_file_is_told_at_once_and_no_token_is(tmp_path: Path) -> None:
    path = a_token_file(
        tmp_path, f"tokens: [{entry(token='hush')}, {entry(roles=[])}, {entry(principal='')}]"
    )

    with pytest.raises(InvalidSettings) as caught:
        load_tokens(path)

    assert len(str(caught.value).splitlines()) == 3
    assert "hush" not in str(caught.value)
    assert TOKEN not in str(caught.value)
