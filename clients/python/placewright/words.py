"""The enums of the wire contract as strings: `JobPhase.PENDING == "pending"`.

`UNKNOWN` stands for what a newer service says and this client does not know.
"""

from __future__ import annotations

from enum import Enum


class Word(str, Enum):
    """An enum whose members are strings and print as such."""

    def __str__(self) -> str:
        return str(self.value)


class JobKind(Word):
    TRAINING = "training"
    INFERENCE = "inference"
    UNKNOWN = "unknown"


class Market(Word):
    RESERVED = "reserved"
    ON_DEMAND = "on_demand"
    SPOT = "spot"
    UNKNOWN = "unknown"


class JobPhase(Word):
    PENDING = "pending"
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class ReplicaState(Word):
    WAITING = "waiting"
    PLACED = "placed"
    RUNNING = "running"
    DONE = "done"
    UNKNOWN = "unknown"


class RunState(Word):
    PLACED = "placed"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


class EndReason(Word):
    SUCCEEDED = "succeeded"
    STOCKOUT = "stockout"
    RECLAIMED = "reclaimed"
    INFRASTRUCTURE = "infrastructure"
    USER_ERROR = "user_error"
    TIMEOUT = "timeout"
    PREEMPTED = "preempted"
    MOVED = "moved"
    DRAINED = "drained"
    SCALED_DOWN = "scaled_down"
    CANCELLED = "cancelled"
    LOST = "lost"
    UNKNOWN = "unknown"


class DeferralReason(Word):
    NOT_PLANNED_YET = "not_planned_yet"
    FITS_NO_POOL = "fits_no_pool"
    POOL_NOT_READY = "pool_not_ready"
    NOT_WORTH_THE_PRICE = "not_worth_the_price"
    NO_CAPACITY = "no_capacity"
    OUTBID = "outbid"
    BACKING_OFF = "backing_off"
    AVAILABILITY_DOUBTED = "availability_doubted"
    HELD = "held"
    FROZEN = "frozen"
    OVER_QUOTA = "over_quota"
    SHADOW = "shadow"
    PINNED = "pinned"
    DISRUPTION_BUDGET = "disruption_budget"
    UNKNOWN = "unknown"


class PoolVerdict(Word):
    OTHER_ACCELERATOR = "other_accelerator"
    PINNED_ELSEWHERE = "pinned_elsewhere"
    EXCLUDED_BY_CONSTRAINTS = "excluded_by_constraints"
    TOO_BIG = "too_big"
    CORDONED = "cordoned"
    NO_LAUNCHER = "no_launcher"
    NOT_WORTH_THE_PRICE = "not_worth_the_price"
    FULL = "full"
    AVAILABILITY_DOUBTED = "availability_doubted"
    OUTBID = "outbid"
    FROZEN = "frozen"
    OVER_QUOTA = "over_quota"
    UNKNOWN = "unknown"


class WatchEventKind(Word):
    """What a watch says.

    CHANGED: the job is new or has changed. LEFT: it no longer matches the filter. REMOVED: it is gone.
    INITIAL_END: every job that matched at the start has been given. RESTARTED: the position was lost,
    everything that matches follows anew up to the next INITIAL_END; forget what does not come again.
    """

    CHANGED = "changed"
    LEFT = "left"
    REMOVED = "removed"
    INITIAL_END = "initial_end"
    RESTARTED = "restarted"


class PoolState(Word):
    """Whether a pool takes anything new."""

    DELETING = "deleting"
    CORDONED = "cordoned"
    FROZEN = "frozen"
    NO_LAUNCHER = "no_launcher"
    READY = "ready"
    UNKNOWN = "unknown"


class ChangeKind(Word):
    """What a change that lets a replica in is made to."""

    RELEASE_JOB = "release_job"
    LIFT_FREEZES = "lift_freezes"
    UNPIN = "unpin"
    BACK_OFF_ENDS = "back_off_ends"
    DROP_CONSTRAINT = "drop_constraint"
    UNCORDON_POOL = "uncordon_pool"
    ATTACH_LAUNCHER = "attach_launcher"
    MORE_ACCELERATORS = "more_accelerators"
    LOWER_PRICE = "lower_price"
    RAISE_QUOTA = "raise_quota"
    UNKNOWN = "unknown"


class PoolJumpKind(Word):
    """What jumps, and in which unit its values are.

    PRICE: micro-dollars per accelerator-hour. CAPACITY: accelerators.
    """

    PRICE = "price"
    CAPACITY = "capacity"
    UNKNOWN = "unknown"


class HealthStatus(Word):
    SERVING = "serving"
    NOT_SERVING = "not_serving"
    UNKNOWN = "unknown"


class WaitFor(Word):
    """How far `wait` waits: every replica has a place, every replica runs, or the job is over."""

    PLACED = "placed"
    RUNNING = "running"
    FINISHED = "finished"
