from placewright.v1 import job_pb2 as _job_pb2
from placewright.v1 import job_service_pb2 as _job_service_pb2
from placewright.v1 import pool_pb2 as _pool_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PoolState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POOL_STATE_UNSPECIFIED: _ClassVar[PoolState]
    POOL_STATE_DELETING: _ClassVar[PoolState]
    POOL_STATE_CORDONED: _ClassVar[PoolState]
    POOL_STATE_FROZEN: _ClassVar[PoolState]
    POOL_STATE_NO_LAUNCHER: _ClassVar[PoolState]
    POOL_STATE_READY: _ClassVar[PoolState]
POOL_STATE_UNSPECIFIED: PoolState
POOL_STATE_DELETING: PoolState
POOL_STATE_CORDONED: PoolState
POOL_STATE_FROZEN: PoolState
POOL_STATE_NO_LAUNCHER: PoolState
POOL_STATE_READY: PoolState

class PoolPrices(_message.Message):
    __slots__ = ("pool_id", "accelerator", "market", "charged_usd_micros_per_accelerator_hour", "marginal_usd_micros_per_accelerator_hour", "shadow_usd_micros_per_accelerator_hour", "accelerators_free", "state")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    ACCELERATOR_FIELD_NUMBER: _ClassVar[int]
    MARKET_FIELD_NUMBER: _ClassVar[int]
    CHARGED_USD_MICROS_PER_ACCELERATOR_HOUR_FIELD_NUMBER: _ClassVar[int]
    MARGINAL_USD_MICROS_PER_ACCELERATOR_HOUR_FIELD_NUMBER: _ClassVar[int]
    SHADOW_USD_MICROS_PER_ACCELERATOR_HOUR_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_FREE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    accelerator: str
    market: _job_pb2.Market
    charged_usd_micros_per_accelerator_hour: int
    marginal_usd_micros_per_accelerator_hour: int
    shadow_usd_micros_per_accelerator_hour: int
    accelerators_free: int
    state: PoolState
    def __init__(self, pool_id: _Optional[str] = ..., accelerator: _Optional[str] = ..., market: _Optional[_Union[_job_pb2.Market, str]] = ..., charged_usd_micros_per_accelerator_hour: _Optional[int] = ..., marginal_usd_micros_per_accelerator_hour: _Optional[int] = ..., shadow_usd_micros_per_accelerator_hour: _Optional[int] = ..., accelerators_free: _Optional[int] = ..., state: _Optional[_Union[PoolState, str]] = ...) -> None: ...

class GetPricesRequest(_message.Message):
    __slots__ = ("min_revision",)
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    min_revision: int
    def __init__(self, min_revision: _Optional[int] = ...) -> None: ...

class GetPricesResponse(_message.Message):
    __slots__ = ("pools", "guidance_revision")
    POOLS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    pools: _containers.RepeatedCompositeFieldContainer[PoolPrices]
    guidance_revision: int
    def __init__(self, pools: _Optional[_Iterable[_Union[PoolPrices, _Mapping]]] = ..., guidance_revision: _Optional[int] = ...) -> None: ...

class SupposedPool(_message.Message):
    __slots__ = ("pool_id", "spec")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    spec: _pool_pb2.PoolSpec
    def __init__(self, pool_id: _Optional[str] = ..., spec: _Optional[_Union[_pool_pb2.PoolSpec, _Mapping]] = ...) -> None: ...

class SupposedQuota(_message.Message):
    __slots__ = ("resource", "nominal", "borrowing_limit", "lending_limit")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    NOMINAL_FIELD_NUMBER: _ClassVar[int]
    BORROWING_LIMIT_FIELD_NUMBER: _ClassVar[int]
    LENDING_LIMIT_FIELD_NUMBER: _ClassVar[int]
    resource: str
    nominal: int
    borrowing_limit: int
    lending_limit: int
    def __init__(self, resource: _Optional[str] = ..., nominal: _Optional[int] = ..., borrowing_limit: _Optional[int] = ..., lending_limit: _Optional[int] = ...) -> None: ...

class SupposedQueue(_message.Message):
    __slots__ = ("queue", "quotas")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    QUOTAS_FIELD_NUMBER: _ClassVar[int]
    queue: str
    quotas: _containers.RepeatedCompositeFieldContainer[SupposedQuota]
    def __init__(self, queue: _Optional[str] = ..., quotas: _Optional[_Iterable[_Union[SupposedQuota, _Mapping]]] = ...) -> None: ...

class PlanJobsRequest(_message.Message):
    __slots__ = ("submissions", "pools", "removed_pool_ids", "queues", "left_out_job_ids", "min_revision")
    SUBMISSIONS_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_POOL_IDS_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_JOB_IDS_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    submissions: _containers.RepeatedCompositeFieldContainer[_job_service_pb2.JobSubmission]
    pools: _containers.RepeatedCompositeFieldContainer[SupposedPool]
    removed_pool_ids: _containers.RepeatedScalarFieldContainer[str]
    queues: _containers.RepeatedCompositeFieldContainer[SupposedQueue]
    left_out_job_ids: _containers.RepeatedScalarFieldContainer[str]
    min_revision: int
    def __init__(self, submissions: _Optional[_Iterable[_Union[_job_service_pb2.JobSubmission, _Mapping]]] = ..., pools: _Optional[_Iterable[_Union[SupposedPool, _Mapping]]] = ..., removed_pool_ids: _Optional[_Iterable[str]] = ..., queues: _Optional[_Iterable[_Union[SupposedQueue, _Mapping]]] = ..., left_out_job_ids: _Optional[_Iterable[str]] = ..., min_revision: _Optional[int] = ...) -> None: ...

class Fate(_message.Message):
    __slots__ = ("placement", "deferral", "preempted_by", "value")
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    DEFERRAL_FIELD_NUMBER: _ClassVar[int]
    PREEMPTED_BY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    placement: _job_pb2.Placement
    deferral: _job_pb2.Deferral
    preempted_by: str
    value: _job_pb2.PlacementValue
    def __init__(self, placement: _Optional[_Union[_job_pb2.Placement, _Mapping]] = ..., deferral: _Optional[_Union[_job_pb2.Deferral, _Mapping]] = ..., preempted_by: _Optional[str] = ..., value: _Optional[_Union[_job_pb2.PlacementValue, _Mapping]] = ...) -> None: ...

class PlannedReplica(_message.Message):
    __slots__ = ("index", "fate")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    FATE_FIELD_NUMBER: _ClassVar[int]
    index: int
    fate: Fate
    def __init__(self, index: _Optional[int] = ..., fate: _Optional[_Union[Fate, _Mapping]] = ...) -> None: ...

class PlannedJob(_message.Message):
    __slots__ = ("name", "replicas")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    name: str
    replicas: _containers.RepeatedCompositeFieldContainer[PlannedReplica]
    def __init__(self, name: _Optional[str] = ..., replicas: _Optional[_Iterable[_Union[PlannedReplica, _Mapping]]] = ...) -> None: ...

class ChangedReplica(_message.Message):
    __slots__ = ("replica_id", "job_id", "before", "after")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    job_id: str
    before: Fate
    after: Fate
    def __init__(self, replica_id: _Optional[str] = ..., job_id: _Optional[str] = ..., before: _Optional[_Union[Fate, _Mapping]] = ..., after: _Optional[_Union[Fate, _Mapping]] = ...) -> None: ...

class PlanFigures(_message.Message):
    __slots__ = ("objective_usd_micros_per_hour", "bound_usd_micros_per_hour", "gap_permille", "charged_usd_micros_per_hour", "paid_usd_micros_per_hour", "placed", "waiting")
    OBJECTIVE_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    BOUND_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    GAP_PERMILLE_FIELD_NUMBER: _ClassVar[int]
    CHARGED_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    PAID_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    PLACED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    objective_usd_micros_per_hour: int
    bound_usd_micros_per_hour: int
    gap_permille: int
    charged_usd_micros_per_hour: int
    paid_usd_micros_per_hour: int
    placed: int
    waiting: int
    def __init__(self, objective_usd_micros_per_hour: _Optional[int] = ..., bound_usd_micros_per_hour: _Optional[int] = ..., gap_permille: _Optional[int] = ..., charged_usd_micros_per_hour: _Optional[int] = ..., paid_usd_micros_per_hour: _Optional[int] = ..., placed: _Optional[int] = ..., waiting: _Optional[int] = ...) -> None: ...

class PlanJobsResponse(_message.Message):
    __slots__ = ("revision", "before", "after", "jobs", "changes", "changes_left_out")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    CHANGES_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    revision: int
    before: PlanFigures
    after: PlanFigures
    jobs: _containers.RepeatedCompositeFieldContainer[PlannedJob]
    changes: _containers.RepeatedCompositeFieldContainer[ChangedReplica]
    changes_left_out: int
    def __init__(self, revision: _Optional[int] = ..., before: _Optional[_Union[PlanFigures, _Mapping]] = ..., after: _Optional[_Union[PlanFigures, _Mapping]] = ..., jobs: _Optional[_Iterable[_Union[PlannedJob, _Mapping]]] = ..., changes: _Optional[_Iterable[_Union[ChangedReplica, _Mapping]]] = ..., changes_left_out: _Optional[int] = ...) -> None: ...
