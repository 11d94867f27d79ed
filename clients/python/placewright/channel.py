"""Channel options, credentials and metadata, the same for sync and asyncio."""

from __future__ import annotations

import json

import grpc

from placewright.settings import Settings, read_certificates
from placewright.targets import ANY_REPLICA
from placewright.version import __version__

RESPONSE_BYTES_MAX = 64 * 1024 * 1024  # a page of jobs with many replicas
KEEPALIVE_MS = 30_000
KEEPALIVE_TIMEOUT_MS = 10_000
RECONNECT_MS_MIN = 200
RECONNECT_MS_MAX = 5_000

SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [ANY_REPLICA],
        "methodConfig": [
            # No policy for streams: watches go on by cursor by themselves. With one, a stream whose attempts
            # have all failed now and then ends without ending its pending read, which then waits for ever
            # (seen with grpcio 1.85.1: a status, and receive_message still due).
            {"name": [{"service": "placewright.v1.JobService", "method": "WatchJobs"}]},
            {
                "name": [
                    {"service": "placewright.v1.JobService"},
                    {"service": "placewright.v1.FleetService"},
                    {"service": "grpc.health.v1.Health"},
                ],
                # Only UNAVAILABLE: whether a write happened is then unknown, and its request id makes
                # the repeat safe. Everything else is an answer.
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            },
        ],
    }
)
OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.enable_retries", 1),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MIN),
    ("grpc.min_reconnect_backoff_ms", RECONNECT_MS_MIN),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
    ("grpc.max_receive_message_length", RESPONSE_BYTES_MAX),
    ("grpc.primary_user_agent", f"placewright-python/{__version__}"),
]


def credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """TLS credentials, or None for a channel in the clear."""
    if settings.tls is None:
        return None
    authorities, key, chain = read_certificates(settings.tls)
    return grpc.ssl_channel_credentials(
        root_certificates=authorities, private_key=key, certificate_chain=chain
    )


def metadata(settings: Settings) -> tuple[tuple[str, str], ...]:
    """What goes with every call."""
    return (("authorization", f"Bearer {settings.token}"),) if settings.token else ()
