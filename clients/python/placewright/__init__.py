"""placewright: submit jobs, wait for them, watch them; see the pools.

    from placewright import Client, Job

    with Client() as client:
        job = client.submit(Job(name="pretrain", accelerators="h100:64", command=["train"])).wait()

Names are imported when they are first used, so that `placewright --help` does not wait for gRPC.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from placewright.version import __version__

if TYPE_CHECKING:
    from placewright.alternative import Alternative
    from placewright.async_client import AsyncClient, AsyncJobHandle
    from placewright.client import Client, JobHandle
    from placewright.errors import (
        Aborted,
        AlreadyExists,
        CursorTooOld,
        DeadlineExceeded,
        FailedPrecondition,
        FieldViolation,
        Internal,
        InvalidRequest,
        NotFound,
        OutOfRange,
        PermissionDenied,
        PlacewrightError,
        RequestIdReused,
        ResourceExhausted,
        Unauthenticated,
        Unavailable,
    )
    from placewright.explanations import (
        AdmittingChange,
        Explanation,
        PoolAnswer,
        WhyPlaced,
        WhyWaiting,
    )
    from placewright.job import Job
    from placewright.plans import (
        ChangedReplica,
        Fate,
        PlanFigures,
        PlannedJob,
        PlannedReplica,
        SupposedPool,
        SupposedQueue,
        SupposedQuota,
        WhatIf,
    )
    from placewright.pools import (
        Cordon,
        NodeCordon,
        NodeGroup,
        PoolJump,
        PoolSpec,
        PoolStatus,
        PoolUsage,
        PoolView,
        SliceGroup,
    )
    from placewright.prices import PoolPrices
    from placewright.queues import (
        CohortSpec,
        CohortView,
        QueueSpec,
        QueueView,
        Quota,
        QuotaUsage,
    )
    from placewright.reasons import (
        Deferral,
        Freeze,
        NodeShare,
        Placement,
        PlacementValue,
        PoolAssignment,
        QuotaShortage,
        RunnerUp,
        TaskGroupPlacement,
    )
    from placewright.settings import Tls
    from placewright.strings import Location
    from placewright.views import (
        Hold,
        JobEvent,
        JobSpec,
        JobView,
        Pin,
        Replica,
        ReplicaCounts,
        Run,
    )
    from placewright.words import (
        ChangeKind,
        DeferralReason,
        EndReason,
        HealthStatus,
        JobKind,
        JobPhase,
        Market,
        PoolJumpKind,
        PoolState,
        PoolVerdict,
        ReplicaState,
        RunState,
        WaitFor,
        WatchEventKind,
    )

__all__ = [
    "__version__",
    # clients
    "Client",
    "JobHandle",
    "AsyncClient",
    "AsyncJobHandle",
    "Tls",
    # what is asked for
    "Job",
    "Alternative",
    "Location",
    "PoolSpec",
    "NodeGroup",
    "SliceGroup",
    "QueueSpec",
    "CohortSpec",
    "Quota",
    # what is given
    "Freeze",
    "QuotaShortage",
    "Hold",
    "Pin",
    "JobView",
    "JobSpec",
    "JobEvent",
    "Replica",
    "ReplicaCounts",
    "Run",
    "Placement",
    "PoolAssignment",
    "TaskGroupPlacement",
    "NodeShare",
    "PlacementValue",
    "RunnerUp",
    "Deferral",
    "PoolView",
    "QueueView",
    "PoolPrices",
    "Explanation",
    "WhyWaiting",
    "WhyPlaced",
    "PoolAnswer",
    "AdmittingChange",
    "SupposedPool",
    "SupposedQuota",
    "SupposedQueue",
    "Fate",
    "PlannedReplica",
    "PlannedJob",
    "ChangedReplica",
    "PlanFigures",
    "WhatIf",
    "CohortView",
    "QuotaUsage",
    "PoolStatus",
    "PoolUsage",
    "PoolJump",
    "Cordon",
    "NodeCordon",
    # words
    "JobKind",
    "JobPhase",
    "ReplicaState",
    "RunState",
    "EndReason",
    "DeferralReason",
    "PoolVerdict",
    "Market",
    "WaitFor",
    "WatchEventKind",
    "HealthStatus",
    "PoolJumpKind",
    "ChangeKind",
    "PoolState",
    # errors
    "PlacewrightError",
    "InvalidRequest",
    "NotFound",
    "AlreadyExists",
    "RequestIdReused",
    "FailedPrecondition",
    "PermissionDenied",
    "Unauthenticated",
    "ResourceExhausted",
    "Aborted",
    "OutOfRange",
    "CursorTooOld",
    "Unavailable",
    "DeadlineExceeded",
    "Internal",
    "FieldViolation",
]

_MODULES = {
    "async_client": ("AsyncClient", "AsyncJobHandle"),
    "client": ("Client", "JobHandle"),
    "settings": ("Tls",),
    "job": ("Job",),
    "alternative": ("Alternative",),
    "reasons": (
        "Deferral", "Placement", "PoolAssignment", "TaskGroupPlacement", "NodeShare", "PlacementValue",
        "Freeze", "QuotaShortage", "RunnerUp",
    ),
    "strings": ("Location",),
    "pools": (
        "PoolSpec", "NodeGroup", "SliceGroup", "PoolView", "PoolStatus", "PoolUsage", "PoolJump", "Cordon",
        "NodeCordon",
    ),
    "queues": ("QueueSpec", "CohortSpec", "Quota", "QueueView", "CohortView", "QuotaUsage"),
    "prices": ("PoolPrices",),
    "explanations": ("Explanation", "WhyWaiting", "WhyPlaced", "PoolAnswer", "AdmittingChange"),
    "plans": (
        "SupposedPool", "SupposedQuota", "SupposedQueue", "Fate", "PlannedReplica", "PlannedJob",
        "ChangedReplica", "PlanFigures", "WhatIf",
    ),
    "views": (
        "Hold", "Pin", "JobView", "JobSpec", "JobEvent", "Replica", "ReplicaCounts", "Run",
    ),
    "words": (
        "JobKind", "JobPhase", "ReplicaState", "RunState", "EndReason", "DeferralReason", "PoolVerdict",
        "Market", "WaitFor", "WatchEventKind", "HealthStatus", "PoolJumpKind", "PoolState",
        "ChangeKind",
    ),
    "errors": (
        "PlacewrightError", "InvalidRequest", "NotFound", "AlreadyExists", "RequestIdReused",
        "FailedPrecondition", "PermissionDenied", "Unauthenticated", "ResourceExhausted", "Aborted",
        "OutOfRange", "CursorTooOld", "Unavailable", "DeadlineExceeded", "Internal", "FieldViolation",
    ),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
