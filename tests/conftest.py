"""What holds for every test."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

ON_THEIR_OWN = Path(__file__).parent / "simulation"

# Tests start processes while clients of the same process are connected; nothing here uses gRPC after a fork
# without an exec, so its fork handlers can only stand in the way.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """The tests of a file share servers, so one worker runs them; simulated worlds share nothing."""
    for item in items:
        if not item.path.is_relative_to(ON_THEIR_OWN):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
