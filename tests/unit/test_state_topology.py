"""URLs of stores."""

import pytest

from scheduler.settings import InvalidSettings, load_settings
from scheduler.state.topology import InvalidRedisUrl, TopologyKind, topology_of


def test_a_sentinel_url_names_sentinels_service_and_database() -> None:
    topology = topology_of("rediss+sentinel://me:s%40crt@a:1,[::1]:2,c/store/3?sentinel_password=other")

    assert (topology.kind, topology.has_tls) == (TopologyKind.SENTINEL, True)
    assert topology.addresses == [("a", 1), ("::1", 2), ("c", 26379)]
    assert (topology.service, topology.db) == ("store", 3)
    assert (topology.username, topology.password) == ("me", "s@crt")
    assert topology.sentinel_password == "other"


def test_a_cluster_url_names_nodes() -> None:
    topology = topology_of("redis+cluster://a:1,b")

    assert (topology.kind, topology.has_tls) == (TopologyKind.CLUSTER, False)
    assert topology.addresses == [("a", 1), ("b", 6379)]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://a", "got scheme 'http'"),
        ("redis://a:1,b:2", "several hosts need"),
        ("redis://a:x", "'a:x' is not HOST:PORT"),
        ("redis+sentinel://a", "the service name is missing"),
        ("redis+sentinel://a/s/x", "the database must be a number, got 'x'"),
        ("redis+sentinel://a/s?secret=1", "unknown option 'secret'"),
        ("redis+cluster://a/1", "neither a path, nor databases"),
        ("redis+cluster://a,,b", "a host is missing"),
        ("unix://relative", "absolute path"),
    ],
)
def test_a_url_that_names_no_store_is_refused(url: str, fault: str) -> None:
    with pytest.raises(InvalidRedisUrl, match=fault) as refused:
        topology_of(url)
    assert "redis+cluster://" in str(refused.value)


def test_settings_tell_what_a_redis_url_may_be_without_its_password() -> None:
    with pytest.raises(InvalidSettings, match=r"redis_url.*redis\+sentinel://") as refused:
        load_settings(redis_url="http://me:hidden@host")
    assert "hidden" not in str(refused.value)


def test_tls_files_without_tls_are_refused() -> None:
    with pytest.raises(InvalidSettings, match=r"redis_tls_\* need"):
        load_settings(redis_url="redis://a", redis_tls_ca="ca.pem")
