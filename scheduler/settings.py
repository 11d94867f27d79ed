"""Settings: command line over environment over defaults, checked whole, all faults told at once."""

import ipaddress
from dataclasses import fields
from enum import StrEnum
from pathlib import Path

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from scheduler.model.disruption import DISRUPTION_DEFAULT, DisruptionBudget
from scheduler.model.errors import PlacewrightError
from scheduler.model.ids import CELL_LENGTH_MAX
from scheduler.model.plan import WorkLimits
from scheduler.model.replica import PREEMPTIONS_KEPT
from scheduler.model.retention import RETENTION_DEFAULT, Retention
from scheduler.state.topology import topology_of

LISTEN_DEFAULT = "127.0.0.1:7461"
METRICS_LISTEN_DEFAULT = "127.0.0.1:7462"
TOKEN_LENGTH_MIN = 16


class InvalidSettings(PlacewrightError):
    """The settings cannot be used; the message has every fault on a line of its own."""


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """How a service runs; each field is also the environment variable PLACEWRIGHT_<FIELD>.

    Attributes:
        cell: name of this scheduler; it begins every job id.
        listen: HOST:PORT of gRPC; anything but loopback needs TLS and tokens.
        metrics_listen: HOST:PORT of /metrics, /healthz and /readyz.
        data_dir: where the embedded Valkey keeps its state, in a folder per cell.
        redis_url: a Redis 7+ or Valkey 8+ of your own: one server, Sentinel or Cluster; without it an
            embedded Valkey in `data_dir`.
        redis_tls_ca: authority that the store's servers are checked against, PEM; else the system's.
        redis_tls_certificate: our own certificate for the store, PEM; goes with `redis_tls_key`.
        redis_tls_key: its private key, PEM.
        durability: what has happened before a write is answered: everysec, always or replicated.
        replicas_in_sync: how many of the store's replicas must have a write in durability replicated.
        fleet: a fleet file; its pools, cohorts and queues are created where they are missing, and nothing is
            overwritten.
        token_file: who may call; without it everybody over loopback.
        tls_certificate: certificate chain, PEM; goes with `tls_key`.
        tls_key: private key, PEM.
        work_limit: deterministic time that one plan's solver may use, about seconds of one core.
        watchdog_ms: wall time after which a plan is cut off and the last verified one committed.
        mass_loss_guard_runs: more runs are never declared lost at once without an operator.
        shadow: make plans, explain them and compare them with what runs, but place nothing.
        retention_ms: how long after its submission a finished job is kept, and any request id is known.
        retention_after_end_ms: how long after its end a job is kept at least.
        fleet_stops_per_cycle_max: runs that one plan may stop for worthier ones, in all.
        pool_stops_per_cycle_max: the same, on one pool.
        queue_stops_per_cycle_max: the same, of one queue.
        fleet_stops_per_hour_max: runs that may be stopped for worthier ones within an hour, in all.
        pool_stops_per_hour_max: the same, on one pool.
        queue_stops_per_hour_max: the same, of one queue.
        preemptions_per_hour_max: how often one replica may be preempted within an hour.
        mirror_comparison_ms: time between two comparisons of the mirror with a full load of the store.
        log_level: debug, info, warning or error.
    """

    model_config = SettingsConfigDict(
        env_prefix="PLACEWRIGHT_", frozen=True, extra="ignore", allow_inf_nan=False
    )

    cell: str = Field(default="main", pattern=rf"^[a-z0-9-]{{1,{CELL_LENGTH_MAX}}}$")
    listen: str = LISTEN_DEFAULT
    metrics_listen: str = METRICS_LISTEN_DEFAULT
    data_dir: Path = Path("~/.local/state/placewright")
    redis_url: SecretStr | None = None
    redis_tls_ca: Path | None = None
    redis_tls_certificate: Path | None = None
    redis_tls_key: Path | None = Field(default=None, validate_default=True)  # judged even if not given
    durability: str = Field(default="always", pattern="^(everysec|always|replicated)$")
    replicas_in_sync: int = Field(default=1, ge=1)
    fleet: Path | None = None
    token_file: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = Field(default=None, validate_default=True)  # judged even if not given
    work_limit: float = Field(default=2.0, gt=0, le=3600)
    watchdog_ms: int = Field(default=30_000, ge=100)
    mass_loss_guard_runs: int = Field(default=100, ge=0)
    shadow: bool = False
    retention_ms: int = Field(default=RETENTION_DEFAULT.after_submission_ms, ge=1_000)
    retention_after_end_ms: int = Field(default=RETENTION_DEFAULT.after_end_ms, ge=1_000)
    fleet_stops_per_cycle_max: int = Field(default=DISRUPTION_DEFAULT.fleet_stops_per_cycle_max, ge=0)
    pool_stops_per_cycle_max: int = Field(default=DISRUPTION_DEFAULT.pool_stops_per_cycle_max, ge=0)
    queue_stops_per_cycle_max: int = Field(default=DISRUPTION_DEFAULT.queue_stops_per_cycle_max, ge=0)
    fleet_stops_per_hour_max: int = Field(default=DISRUPTION_DEFAULT.fleet_stops_per_hour_max, ge=0)
    pool_stops_per_hour_max: int = Field(default=DISRUPTION_DEFAULT.pool_stops_per_hour_max, ge=0)
    queue_stops_per_hour_max: int = Field(default=DISRUPTION_DEFAULT.queue_stops_per_hour_max, ge=0)
    preemptions_per_hour_max: int = Field(
        default=DISRUPTION_DEFAULT.preemptions_per_hour_max, ge=0, le=PREEMPTIONS_KEPT
    )
    mirror_comparison_ms: int = Field(default=600_000, ge=100)
    log_level: LogLevel = LogLevel.INFO

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _is_address(cls, address: str) -> str:
        split_address(address)
        return address

    @field_validator("redis_url")
    @classmethod
    def _names_a_store(cls, redis_url: SecretStr | None) -> SecretStr | None:
        if redis_url is not None:
            topology_of(redis_url.get_secret_value())
        return redis_url

    @field_validator("redis_tls_key")  # after the fields that it goes with
    @classmethod
    def _has_redis_tls(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        ca, certificate = info.data.get("redis_tls_ca"), info.data.get("redis_tls_certificate")
        if (certificate is None) != (key is None):
            raise ValueError("redis_tls_certificate and redis_tls_key go together")
        url = info.data.get("redis_url")
        has_tls = url is not None and topology_of(url.get_secret_value()).has_tls
        if any((ca, certificate, key)) and not has_tls:
            raise ValueError(
                "redis_tls_* need a redis_url of rediss://, rediss+sentinel:// or rediss+cluster://"
            )
        return key

    @field_validator("tls_key")  # after the fields that it goes with
    @classmethod
    def _is_secure(cls, tls_key: Path | None, info: ValidationInfo) -> Path | None:
        listen, tls_certificate = info.data.get("listen"), info.data.get("tls_certificate")
        faults = []
        if (tls_certificate is None) != (tls_key is None):
            faults.append("tls_certificate and tls_key go together")
        is_open = None in (tls_certificate, tls_key, info.data.get("token_file"))
        if is_open and listen is not None and not is_loopback(split_address(listen)[0]):
            faults.append(
                f"listen is {listen}: anything but loopback needs tls_certificate, tls_key and token_file"
            )
        if faults:
            raise ValueError("; ".join(faults))
        return tls_key

    @property
    def limits(self) -> WorkLimits:
        return WorkLimits(deterministic_time=self.work_limit)

    @property
    def retention(self) -> Retention:
        return Retention(after_submission_ms=self.retention_ms, after_end_ms=self.retention_after_end_ms)

    @property
    def disruption(self) -> DisruptionBudget:
        """What plans may stop."""
        return DisruptionBudget(**{each.name: getattr(self, each.name) for each in fields(DisruptionBudget)})


def load_settings(**given: object) -> Settings:
    """The settings with what was given on the command line; None means not given.

    Raises:
        InvalidSettings
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors()]
        raise InvalidSettings("\n".join(faults)) from None


def split_address(address: str) -> tuple[str, int]:
    """Host and port of HOST:PORT.

    Raises:
        ValueError
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"an address must be HOST:PORT with a port from 0 to 65535, got {address!r}")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class TokenEntry(BaseModel):
    """One caller of a token file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    principal: str = Field(pattern=r"^[A-Za-z0-9._@-]{1,63}$")
    roles: list[str] = Field(min_length=1)
    token: SecretStr = Field(min_length=TOKEN_LENGTH_MIN)


class TokenFile(BaseModel):
    """Who may call: a YAML file {tokens: [{principal, roles, token}]}."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: list[TokenEntry] = Field(min_length=1)


def load_tokens(path: Path) -> list[TokenEntry]:
    """The callers of a token file, which only its owner may read.

    Raises:
        InvalidSettings
    """
    try:
        if path.stat().st_mode & 0o077:
            raise InvalidSettings(f"{path}: others can read the tokens; chmod 600 it")
        document = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        return TokenFile.model_validate(document).tokens
    except OSError as error:
        raise InvalidSettings(f"{path}: {error.strerror}") from None
    except yaml.YAMLError:
        raise InvalidSettings(f"{path}: is not YAML") from None
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise InvalidSettings("\n".join(faults)) from None
