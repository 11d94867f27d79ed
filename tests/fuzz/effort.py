"""How hard the fuzz tests try: a few examples, or PLACEWRIGHT_TEST_FUZZ_EXAMPLES each (`make fuzz`)."""

import os
from typing import Any

from hypothesis import HealthCheck, settings

EXAMPLES = os.environ.get("PLACEWRIGHT_TEST_FUZZ_EXAMPLES")


def effort(examples: int) -> Any:
    """The settings of a test that usually tries so many examples."""
    return settings(
        max_examples=int(EXAMPLES or examples),
        deadline=None,  # other tests run on the same cores
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
