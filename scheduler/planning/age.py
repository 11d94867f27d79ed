"""Age: what has waited long counts for more among what waits, up to a bound; docs/decisions/age.md."""

from scheduler.planning.worth import WORTH_PER_STEP

AGE_FIRST_MS = 15 * 60_000
"""The first step; each further one takes as long again as all before it."""
AGE_STEPS_MAX = 7


def age_step(waited_ms: int) -> int:
    """Steps of age: 0 below a quarter of an hour, 1 below half an hour, then one more for each doubling."""
    return min(AGE_STEPS_MAX, max(0, waited_ms // AGE_FIRST_MS).bit_length())


def age_bonus_usd_micros_per_hour(step: int, *, worth: int, useful_permille: int) -> int:
    """What a placement gains in the objective, beside its term, because its replica has waited.

    Args:
        worth: V of the priority class, micro-dollars per useful accelerator-hour.
        useful_permille: what the gang does in an hour, thousandths of a reference accelerator's.
    """
    return step * (worth // WORTH_PER_STEP) * useful_permille
