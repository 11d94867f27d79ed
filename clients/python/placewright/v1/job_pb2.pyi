import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Market(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARKET_UNSPECIFIED: _ClassVar[Market]
    MARKET_RESERVED: _ClassVar[Market]
    MARKET_ON_DEMAND: _ClassVar[Market]
    MARKET_SPOT: _ClassVar[Market]

class LaunchedBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LAUNCHED_BY_UNSPECIFIED: _ClassVar[LaunchedBy]
    LAUNCHED_BY_POOL: _ClassVar[LaunchedBy]
    LAUNCHED_BY_SUBMITTER: _ClassVar[LaunchedBy]

class JobPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_PHASE_UNSPECIFIED: _ClassVar[JobPhase]
    JOB_PHASE_PENDING: _ClassVar[JobPhase]
    JOB_PHASE_ACTIVE: _ClassVar[JobPhase]
    JOB_PHASE_SUCCEEDED: _ClassVar[JobPhase]
    JOB_PHASE_FAILED: _ClassVar[JobPhase]
    JOB_PHASE_CANCELLED: _ClassVar[JobPhase]

class ReplicaState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPLICA_STATE_UNSPECIFIED: _ClassVar[ReplicaState]
    REPLICA_STATE_WAITING: _ClassVar[ReplicaState]
    REPLICA_STATE_PLACED: _ClassVar[ReplicaState]
    REPLICA_STATE_RUNNING: _ClassVar[ReplicaState]
    REPLICA_STATE_DONE: _ClassVar[ReplicaState]

class DeferralReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEFERRAL_REASON_UNSPECIFIED: _ClassVar[DeferralReason]
    DEFERRAL_REASON_NOT_PLANNED_YET: _ClassVar[DeferralReason]
    DEFERRAL_REASON_FITS_NO_POOL: _ClassVar[DeferralReason]
    DEFERRAL_REASON_POOL_NOT_READY: _ClassVar[DeferralReason]
    DEFERRAL_REASON_NOT_WORTH_THE_PRICE: _ClassVar[DeferralReason]
    DEFERRAL_REASON_NO_CAPACITY: _ClassVar[DeferralReason]
    DEFERRAL_REASON_OUTBID: _ClassVar[DeferralReason]
    DEFERRAL_REASON_BACKING_OFF: _ClassVar[DeferralReason]
    DEFERRAL_REASON_AVAILABILITY_DOUBTED: _ClassVar[DeferralReason]
    DEFERRAL_REASON_HELD: _ClassVar[DeferralReason]
    DEFERRAL_REASON_FROZEN: _ClassVar[DeferralReason]
    DEFERRAL_REASON_SHADOW: _ClassVar[DeferralReason]
    DEFERRAL_REASON_PINNED: _ClassVar[DeferralReason]
    DEFERRAL_REASON_OVER_QUOTA: _ClassVar[DeferralReason]
    DEFERRAL_REASON_DISRUPTION_BUDGET: _ClassVar[DeferralReason]

class PoolVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POOL_VERDICT_UNSPECIFIED: _ClassVar[PoolVerdict]
    POOL_VERDICT_OTHER_ACCELERATOR: _ClassVar[PoolVerdict]
    POOL_VERDICT_EXCLUDED_BY_CONSTRAINTS: _ClassVar[PoolVerdict]
    POOL_VERDICT_TOO_BIG: _ClassVar[PoolVerdict]
    POOL_VERDICT_CORDONED: _ClassVar[PoolVerdict]
    POOL_VERDICT_NO_LAUNCHER: _ClassVar[PoolVerdict]
    POOL_VERDICT_NOT_WORTH_THE_PRICE: _ClassVar[PoolVerdict]
    POOL_VERDICT_FULL: _ClassVar[PoolVerdict]
    POOL_VERDICT_AVAILABILITY_DOUBTED: _ClassVar[PoolVerdict]
    POOL_VERDICT_OUTBID: _ClassVar[PoolVerdict]
    POOL_VERDICT_FROZEN: _ClassVar[PoolVerdict]
    POOL_VERDICT_PINNED_ELSEWHERE: _ClassVar[PoolVerdict]
    POOL_VERDICT_OVER_QUOTA: _ClassVar[PoolVerdict]

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_PLACED: _ClassVar[RunState]
    RUN_STATE_STARTING: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_STOPPING: _ClassVar[RunState]
    RUN_STATE_ENDED: _ClassVar[RunState]
    RUN_STATE_UNREACHABLE: _ClassVar[RunState]

class EndReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    END_REASON_UNSPECIFIED: _ClassVar[EndReason]
    END_REASON_SUCCEEDED: _ClassVar[EndReason]
    END_REASON_STOCKOUT: _ClassVar[EndReason]
    END_REASON_RECLAIMED: _ClassVar[EndReason]
    END_REASON_INFRASTRUCTURE: _ClassVar[EndReason]
    END_REASON_USER_ERROR: _ClassVar[EndReason]
    END_REASON_TIMEOUT: _ClassVar[EndReason]
    END_REASON_PREEMPTED: _ClassVar[EndReason]
    END_REASON_MOVED: _ClassVar[EndReason]
    END_REASON_DRAINED: _ClassVar[EndReason]
    END_REASON_SCALED_DOWN: _ClassVar[EndReason]
    END_REASON_CANCELLED: _ClassVar[EndReason]
    END_REASON_LOST: _ClassVar[EndReason]
MARKET_UNSPECIFIED: Market
MARKET_RESERVED: Market
MARKET_ON_DEMAND: Market
MARKET_SPOT: Market
LAUNCHED_BY_UNSPECIFIED: LaunchedBy
LAUNCHED_BY_POOL: LaunchedBy
LAUNCHED_BY_SUBMITTER: LaunchedBy
JOB_PHASE_UNSPECIFIED: JobPhase
JOB_PHASE_PENDING: JobPhase
JOB_PHASE_ACTIVE: JobPhase
JOB_PHASE_SUCCEEDED: JobPhase
JOB_PHASE_FAILED: JobPhase
JOB_PHASE_CANCELLED: JobPhase
REPLICA_STATE_UNSPECIFIED: ReplicaState
REPLICA_STATE_WAITING: ReplicaState
REPLICA_STATE_PLACED: ReplicaState
REPLICA_STATE_RUNNING: ReplicaState
REPLICA_STATE_DONE: ReplicaState
DEFERRAL_REASON_UNSPECIFIED: DeferralReason
DEFERRAL_REASON_NOT_PLANNED_YET: DeferralReason
DEFERRAL_REASON_FITS_NO_POOL: DeferralReason
DEFERRAL_REASON_POOL_NOT_READY: DeferralReason
DEFERRAL_REASON_NOT_WORTH_THE_PRICE: DeferralReason
DEFERRAL_REASON_NO_CAPACITY: DeferralReason
DEFERRAL_REASON_OUTBID: DeferralReason
DEFERRAL_REASON_BACKING_OFF: DeferralReason
DEFERRAL_REASON_AVAILABILITY_DOUBTED: DeferralReason
DEFERRAL_REASON_HELD: DeferralReason
DEFERRAL_REASON_FROZEN: DeferralReason
DEFERRAL_REASON_SHADOW: DeferralReason
DEFERRAL_REASON_PINNED: DeferralReason
DEFERRAL_REASON_OVER_QUOTA: DeferralReason
DEFERRAL_REASON_DISRUPTION_BUDGET: DeferralReason
POOL_VERDICT_UNSPECIFIED: PoolVerdict
POOL_VERDICT_OTHER_ACCELERATOR: PoolVerdict
POOL_VERDICT_EXCLUDED_BY_CONSTRAINTS: PoolVerdict
POOL_VERDICT_TOO_BIG: PoolVerdict
POOL_VERDICT_CORDONED: PoolVerdict
POOL_VERDICT_NO_LAUNCHER: PoolVerdict
POOL_VERDICT_NOT_WORTH_THE_PRICE: PoolVerdict
POOL_VERDICT_FULL: PoolVerdict
POOL_VERDICT_AVAILABILITY_DOUBTED: PoolVerdict
POOL_VERDICT_OUTBID: PoolVerdict
POOL_VERDICT_FROZEN: PoolVerdict
POOL_VERDICT_PINNED_ELSEWHERE: PoolVerdict
POOL_VERDICT_OVER_QUOTA: PoolVerdict
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_PLACED: RunState
RUN_STATE_STARTING: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_STOPPING: RunState
RUN_STATE_ENDED: RunState
RUN_STATE_UNREACHABLE: RunState
END_REASON_UNSPECIFIED: EndReason
END_REASON_SUCCEEDED: EndReason
END_REASON_STOCKOUT: EndReason
END_REASON_RECLAIMED: EndReason
END_REASON_INFRASTRUCTURE: EndReason
END_REASON_USER_ERROR: EndReason
END_REASON_TIMEOUT: EndReason
END_REASON_PREEMPTED: EndReason
END_REASON_MOVED: EndReason
END_REASON_DRAINED: EndReason
END_REASON_SCALED_DOWN: EndReason
END_REASON_CANCELLED: EndReason
END_REASON_LOST: EndReason

class TaskGroup(_message.Message):
    __slots__ = ("role", "tasks", "devices_per_task")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_PER_TASK_FIELD_NUMBER: _ClassVar[int]
    role: str
    tasks: int
    devices_per_task: int
    def __init__(self, role: _Optional[str] = ..., tasks: _Optional[int] = ..., devices_per_task: _Optional[int] = ...) -> None: ...

class Gang(_message.Message):
    __slots__ = ("task_groups",)
    TASK_GROUPS_FIELD_NUMBER: _ClassVar[int]
    task_groups: _containers.RepeatedCompositeFieldContainer[TaskGroup]
    def __init__(self, task_groups: _Optional[_Iterable[_Union[TaskGroup, _Mapping]]] = ...) -> None: ...

class Slice(_message.Message):
    __slots__ = ("topology",)
    TOPOLOGY_FIELD_NUMBER: _ClassVar[int]
    topology: str
    def __init__(self, topology: _Optional[str] = ...) -> None: ...

class Alternative(_message.Message):
    __slots__ = ("accelerator", "count", "gang", "slice", "speed_permille")
    ACCELERATOR_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    GANG_FIELD_NUMBER: _ClassVar[int]
    SLICE_FIELD_NUMBER: _ClassVar[int]
    SPEED_PERMILLE_FIELD_NUMBER: _ClassVar[int]
    accelerator: str
    count: int
    gang: Gang
    slice: Slice
    speed_permille: int
    def __init__(self, accelerator: _Optional[str] = ..., count: _Optional[int] = ..., gang: _Optional[_Union[Gang, _Mapping]] = ..., slice: _Optional[_Union[Slice, _Mapping]] = ..., speed_permille: _Optional[int] = ...) -> None: ...

class Location(_message.Message):
    __slots__ = ("provider", "region", "zone")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    provider: str
    region: str
    zone: str
    def __init__(self, provider: _Optional[str] = ..., region: _Optional[str] = ..., zone: _Optional[str] = ...) -> None: ...

class Constraints(_message.Message):
    __slots__ = ("allowed_locations", "denied_locations", "allowed_pools", "denied_pools", "markets", "residency")
    ALLOWED_LOCATIONS_FIELD_NUMBER: _ClassVar[int]
    DENIED_LOCATIONS_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_POOLS_FIELD_NUMBER: _ClassVar[int]
    DENIED_POOLS_FIELD_NUMBER: _ClassVar[int]
    MARKETS_FIELD_NUMBER: _ClassVar[int]
    RESIDENCY_FIELD_NUMBER: _ClassVar[int]
    allowed_locations: _containers.RepeatedCompositeFieldContainer[Location]
    denied_locations: _containers.RepeatedCompositeFieldContainer[Location]
    allowed_pools: _containers.RepeatedScalarFieldContainer[str]
    denied_pools: _containers.RepeatedScalarFieldContainer[str]
    markets: _containers.RepeatedScalarFieldContainer[Market]
    residency: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, allowed_locations: _Optional[_Iterable[_Union[Location, _Mapping]]] = ..., denied_locations: _Optional[_Iterable[_Union[Location, _Mapping]]] = ..., allowed_pools: _Optional[_Iterable[str]] = ..., denied_pools: _Optional[_Iterable[str]] = ..., markets: _Optional[_Iterable[_Union[Market, str]]] = ..., residency: _Optional[_Iterable[str]] = ...) -> None: ...

class Training(_message.Message):
    __slots__ = ("estimated_duration",)
    ESTIMATED_DURATION_FIELD_NUMBER: _ClassVar[int]
    estimated_duration: _duration_pb2.Duration
    def __init__(self, estimated_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Inference(_message.Message):
    __slots__ = ("max_replicas",)
    MAX_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    max_replicas: int
    def __init__(self, max_replicas: _Optional[int] = ...) -> None: ...

class Retry(_message.Message):
    __slots__ = ("user_errors",)
    USER_ERRORS_FIELD_NUMBER: _ClassVar[int]
    user_errors: int
    def __init__(self, user_errors: _Optional[int] = ...) -> None: ...

class LaunchPayload(_message.Message):
    __slots__ = ("command", "env")
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    command: _containers.RepeatedScalarFieldContainer[str]
    env: _containers.ScalarMap[str, str]
    def __init__(self, command: _Optional[_Iterable[str]] = ..., env: _Optional[_Mapping[str, str]] = ...) -> None: ...

class JobSpec(_message.Message):
    __slots__ = ("name", "queue", "priority_class", "launched_by", "alternatives", "constraints", "training", "inference", "max_duration", "grace_period", "retry", "preemptible", "min_runtime")
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_CLASS_FIELD_NUMBER: _ClassVar[int]
    LAUNCHED_BY_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_FIELD_NUMBER: _ClassVar[int]
    MAX_DURATION_FIELD_NUMBER: _ClassVar[int]
    GRACE_PERIOD_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    PREEMPTIBLE_FIELD_NUMBER: _ClassVar[int]
    MIN_RUNTIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    queue: str
    priority_class: str
    launched_by: LaunchedBy
    alternatives: _containers.RepeatedCompositeFieldContainer[Alternative]
    constraints: Constraints
    training: Training
    inference: Inference
    max_duration: _duration_pb2.Duration
    grace_period: _duration_pb2.Duration
    retry: Retry
    preemptible: bool
    min_runtime: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., queue: _Optional[str] = ..., priority_class: _Optional[str] = ..., launched_by: _Optional[_Union[LaunchedBy, str]] = ..., alternatives: _Optional[_Iterable[_Union[Alternative, _Mapping]]] = ..., constraints: _Optional[_Union[Constraints, _Mapping]] = ..., training: _Optional[_Union[Training, _Mapping]] = ..., inference: _Optional[_Union[Inference, _Mapping]] = ..., max_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., grace_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[_Union[Retry, _Mapping]] = ..., preemptible: _Optional[bool] = ..., min_runtime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ReplicaCounts(_message.Message):
    __slots__ = ("waiting", "placed", "running", "done")
    WAITING_FIELD_NUMBER: _ClassVar[int]
    PLACED_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    waiting: int
    placed: int
    running: int
    done: int
    def __init__(self, waiting: _Optional[int] = ..., placed: _Optional[int] = ..., running: _Optional[int] = ..., done: _Optional[int] = ...) -> None: ...

class VerdictCount(_message.Message):
    __slots__ = ("verdict", "pools")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    verdict: PoolVerdict
    pools: int
    def __init__(self, verdict: _Optional[_Union[PoolVerdict, str]] = ..., pools: _Optional[int] = ...) -> None: ...

class FreezeScope(_message.Message):
    __slots__ = ("cell", "pool_id", "queue")
    CELL_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    cell: bool
    pool_id: str
    queue: str
    def __init__(self, cell: _Optional[bool] = ..., pool_id: _Optional[str] = ..., queue: _Optional[str] = ...) -> None: ...

class Freeze(_message.Message):
    __slots__ = ("scope", "reason", "principal", "frozen_at")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    FROZEN_AT_FIELD_NUMBER: _ClassVar[int]
    scope: FreezeScope
    reason: str
    principal: str
    frozen_at: _timestamp_pb2.Timestamp
    def __init__(self, scope: _Optional[_Union[FreezeScope, _Mapping]] = ..., reason: _Optional[str] = ..., principal: _Optional[str] = ..., frozen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Deferral(_message.Message):
    __slots__ = ("reason", "verdicts", "accelerators_needed", "accelerators_free_max", "cheapest_cost_usd_micros_per_useful_hour", "worth_usd_micros_per_useful_hour", "not_before", "planned_revision", "freeze", "pool_id", "quota")
    REASON_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_NEEDED_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_FREE_MAX_FIELD_NUMBER: _ClassVar[int]
    CHEAPEST_COST_USD_MICROS_PER_USEFUL_HOUR_FIELD_NUMBER: _ClassVar[int]
    WORTH_USD_MICROS_PER_USEFUL_HOUR_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    PLANNED_REVISION_FIELD_NUMBER: _ClassVar[int]
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    QUOTA_FIELD_NUMBER: _ClassVar[int]
    reason: DeferralReason
    verdicts: _containers.RepeatedCompositeFieldContainer[VerdictCount]
    accelerators_needed: int
    accelerators_free_max: int
    cheapest_cost_usd_micros_per_useful_hour: int
    worth_usd_micros_per_useful_hour: int
    not_before: _timestamp_pb2.Timestamp
    planned_revision: int
    freeze: Freeze
    pool_id: str
    quota: QuotaShortage
    def __init__(self, reason: _Optional[_Union[DeferralReason, str]] = ..., verdicts: _Optional[_Iterable[_Union[VerdictCount, _Mapping]]] = ..., accelerators_needed: _Optional[int] = ..., accelerators_free_max: _Optional[int] = ..., cheapest_cost_usd_micros_per_useful_hour: _Optional[int] = ..., worth_usd_micros_per_useful_hour: _Optional[int] = ..., not_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., planned_revision: _Optional[int] = ..., freeze: _Optional[_Union[Freeze, _Mapping]] = ..., pool_id: _Optional[str] = ..., quota: _Optional[_Union[QuotaShortage, _Mapping]] = ...) -> None: ...

class QuotaShortage(_message.Message):
    __slots__ = ("queue", "cohort", "resource", "needed", "available", "limit")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    COHORT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    NEEDED_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    queue: str
    cohort: str
    resource: str
    needed: int
    available: int
    limit: int
    def __init__(self, queue: _Optional[str] = ..., cohort: _Optional[str] = ..., resource: _Optional[str] = ..., needed: _Optional[int] = ..., available: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class NodeShare(_message.Message):
    __slots__ = ("node", "tasks")
    NODE_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    node: str
    tasks: int
    def __init__(self, node: _Optional[str] = ..., tasks: _Optional[int] = ...) -> None: ...

class TaskGroupPlacement(_message.Message):
    __slots__ = ("role", "tasks", "devices_per_task", "nodes")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    DEVICES_PER_TASK_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    role: str
    tasks: int
    devices_per_task: int
    nodes: _containers.RepeatedCompositeFieldContainer[NodeShare]
    def __init__(self, role: _Optional[str] = ..., tasks: _Optional[int] = ..., devices_per_task: _Optional[int] = ..., nodes: _Optional[_Iterable[_Union[NodeShare, _Mapping]]] = ...) -> None: ...

class PoolAssignment(_message.Message):
    __slots__ = ("pool_id", "accelerator", "accelerators", "slice_topology", "market", "charged_usd_micros_per_hour", "task_groups")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    ACCELERATOR_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_FIELD_NUMBER: _ClassVar[int]
    SLICE_TOPOLOGY_FIELD_NUMBER: _ClassVar[int]
    MARKET_FIELD_NUMBER: _ClassVar[int]
    CHARGED_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    TASK_GROUPS_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    accelerator: str
    accelerators: int
    slice_topology: str
    market: Market
    charged_usd_micros_per_hour: int
    task_groups: _containers.RepeatedCompositeFieldContainer[TaskGroupPlacement]
    def __init__(self, pool_id: _Optional[str] = ..., accelerator: _Optional[str] = ..., accelerators: _Optional[int] = ..., slice_topology: _Optional[str] = ..., market: _Optional[_Union[Market, str]] = ..., charged_usd_micros_per_hour: _Optional[int] = ..., task_groups: _Optional[_Iterable[_Union[TaskGroupPlacement, _Mapping]]] = ...) -> None: ...

class Placement(_message.Message):
    __slots__ = ("assignments", "alternative_index")
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVE_INDEX_FIELD_NUMBER: _ClassVar[int]
    assignments: _containers.RepeatedCompositeFieldContainer[PoolAssignment]
    alternative_index: int
    def __init__(self, assignments: _Optional[_Iterable[_Union[PoolAssignment, _Mapping]]] = ..., alternative_index: _Optional[int] = ...) -> None: ...

class RunnerUp(_message.Message):
    __slots__ = ("pool_id", "term_usd_micros_per_hour")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    term_usd_micros_per_hour: int
    def __init__(self, pool_id: _Optional[str] = ..., term_usd_micros_per_hour: _Optional[int] = ...) -> None: ...

class PlacementValue(_message.Message):
    __slots__ = ("term_usd_micros_per_hour", "runner_up")
    TERM_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    RUNNER_UP_FIELD_NUMBER: _ClassVar[int]
    term_usd_micros_per_hour: int
    runner_up: RunnerUp
    def __init__(self, term_usd_micros_per_hour: _Optional[int] = ..., runner_up: _Optional[_Union[RunnerUp, _Mapping]] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("run_id", "run_number", "state", "end_reason", "stop_reason", "placement", "placed_at", "running_at", "ended_at", "exit_code", "message", "value", "after_run_ids")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    END_REASON_FIELD_NUMBER: _ClassVar[int]
    STOP_REASON_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    PLACED_AT_FIELD_NUMBER: _ClassVar[int]
    RUNNING_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    AFTER_RUN_IDS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    run_number: int
    state: RunState
    end_reason: EndReason
    stop_reason: EndReason
    placement: Placement
    placed_at: _timestamp_pb2.Timestamp
    running_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    exit_code: int
    message: str
    value: PlacementValue
    after_run_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run_id: _Optional[str] = ..., run_number: _Optional[int] = ..., state: _Optional[_Union[RunState, str]] = ..., end_reason: _Optional[_Union[EndReason, str]] = ..., stop_reason: _Optional[_Union[EndReason, str]] = ..., placement: _Optional[_Union[Placement, _Mapping]] = ..., placed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., running_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., exit_code: _Optional[int] = ..., message: _Optional[str] = ..., value: _Optional[_Union[PlacementValue, _Mapping]] = ..., after_run_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Replica(_message.Message):
    __slots__ = ("replica_id", "index", "state", "deferral", "newest_run", "run_count", "pin")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEFERRAL_FIELD_NUMBER: _ClassVar[int]
    NEWEST_RUN_FIELD_NUMBER: _ClassVar[int]
    RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    PIN_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    index: int
    state: ReplicaState
    deferral: Deferral
    newest_run: Run
    run_count: int
    pin: Pin
    def __init__(self, replica_id: _Optional[str] = ..., index: _Optional[int] = ..., state: _Optional[_Union[ReplicaState, str]] = ..., deferral: _Optional[_Union[Deferral, _Mapping]] = ..., newest_run: _Optional[_Union[Run, _Mapping]] = ..., run_count: _Optional[int] = ..., pin: _Optional[_Union[Pin, _Mapping]] = ...) -> None: ...

class Pin(_message.Message):
    __slots__ = ("pool_id", "reason", "principal", "pinned_at")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    PINNED_AT_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    reason: str
    principal: str
    pinned_at: _timestamp_pb2.Timestamp
    def __init__(self, pool_id: _Optional[str] = ..., reason: _Optional[str] = ..., principal: _Optional[str] = ..., pinned_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("reason", "principal", "held_at")
    REASON_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    HELD_AT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    principal: str
    held_at: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[str] = ..., principal: _Optional[str] = ..., held_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("job_id", "effective_spec", "phase", "counts", "desired_replicas", "spec_generation", "submitter", "submitted_at", "cancel_requested_at", "cancel_reason", "finished_at", "etag", "revision", "replicas", "replicas_left_out", "hold")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_SPEC_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    DESIRED_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    SPEC_GENERATION_FIELD_NUMBER: _ClassVar[int]
    SUBMITTER_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REASON_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    effective_spec: JobSpec
    phase: JobPhase
    counts: ReplicaCounts
    desired_replicas: int
    spec_generation: int
    submitter: str
    submitted_at: _timestamp_pb2.Timestamp
    cancel_requested_at: _timestamp_pb2.Timestamp
    cancel_reason: str
    finished_at: _timestamp_pb2.Timestamp
    etag: str
    revision: int
    replicas: _containers.RepeatedCompositeFieldContainer[Replica]
    replicas_left_out: bool
    hold: Hold
    def __init__(self, job_id: _Optional[str] = ..., effective_spec: _Optional[_Union[JobSpec, _Mapping]] = ..., phase: _Optional[_Union[JobPhase, str]] = ..., counts: _Optional[_Union[ReplicaCounts, _Mapping]] = ..., desired_replicas: _Optional[int] = ..., spec_generation: _Optional[int] = ..., submitter: _Optional[str] = ..., submitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cancel_requested_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cancel_reason: _Optional[str] = ..., finished_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., revision: _Optional[int] = ..., replicas: _Optional[_Iterable[_Union[Replica, _Mapping]]] = ..., replicas_left_out: _Optional[bool] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ...) -> None: ...
