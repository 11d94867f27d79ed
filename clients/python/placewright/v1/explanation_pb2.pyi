from placewright.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChangeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_KIND_UNSPECIFIED: _ClassVar[ChangeKind]
    CHANGE_KIND_RELEASE_JOB: _ClassVar[ChangeKind]
    CHANGE_KIND_LIFT_FREEZES: _ClassVar[ChangeKind]
    CHANGE_KIND_UNPIN: _ClassVar[ChangeKind]
    CHANGE_KIND_BACK_OFF_ENDS: _ClassVar[ChangeKind]
    CHANGE_KIND_DROP_CONSTRAINT: _ClassVar[ChangeKind]
    CHANGE_KIND_UNCORDON_POOL: _ClassVar[ChangeKind]
    CHANGE_KIND_ATTACH_LAUNCHER: _ClassVar[ChangeKind]
    CHANGE_KIND_MORE_ACCELERATORS: _ClassVar[ChangeKind]
    CHANGE_KIND_LOWER_PRICE: _ClassVar[ChangeKind]
    CHANGE_KIND_RAISE_QUOTA: _ClassVar[ChangeKind]
CHANGE_KIND_UNSPECIFIED: ChangeKind
CHANGE_KIND_RELEASE_JOB: ChangeKind
CHANGE_KIND_LIFT_FREEZES: ChangeKind
CHANGE_KIND_UNPIN: ChangeKind
CHANGE_KIND_BACK_OFF_ENDS: ChangeKind
CHANGE_KIND_DROP_CONSTRAINT: ChangeKind
CHANGE_KIND_UNCORDON_POOL: ChangeKind
CHANGE_KIND_ATTACH_LAUNCHER: ChangeKind
CHANGE_KIND_MORE_ACCELERATORS: ChangeKind
CHANGE_KIND_LOWER_PRICE: ChangeKind
CHANGE_KIND_RAISE_QUOTA: ChangeKind

class ExplainJobRequest(_message.Message):
    __slots__ = ("job_id", "replica_index", "min_revision")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    REPLICA_INDEX_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    replica_index: int
    min_revision: int
    def __init__(self, job_id: _Optional[str] = ..., replica_index: _Optional[int] = ..., min_revision: _Optional[int] = ...) -> None: ...

class ExplainJobResponse(_message.Message):
    __slots__ = ("replica_id", "revision", "waiting", "placed")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    PLACED_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    revision: int
    waiting: WhyWaiting
    placed: WhyPlaced
    def __init__(self, replica_id: _Optional[str] = ..., revision: _Optional[int] = ..., waiting: _Optional[_Union[WhyWaiting, _Mapping]] = ..., placed: _Optional[_Union[WhyPlaced, _Mapping]] = ...) -> None: ...

class WhyWaiting(_message.Message):
    __slots__ = ("deferral", "placement", "worth_usd_micros_per_useful_hour", "pools", "changes", "changes_tried")
    DEFERRAL_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    WORTH_USD_MICROS_PER_USEFUL_HOUR_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    CHANGES_TRIED_FIELD_NUMBER: _ClassVar[int]
    deferral: _job_pb2.Deferral
    placement: _job_pb2.Placement
    worth_usd_micros_per_useful_hour: int
    pools: _containers.RepeatedCompositeFieldContainer[PoolAnswer]
    changes: _containers.RepeatedCompositeFieldContainer[AdmittingChange]
    changes_tried: int
    def __init__(self, deferral: _Optional[_Union[_job_pb2.Deferral, _Mapping]] = ..., placement: _Optional[_Union[_job_pb2.Placement, _Mapping]] = ..., worth_usd_micros_per_useful_hour: _Optional[int] = ..., pools: _Optional[_Iterable[_Union[PoolAnswer, _Mapping]]] = ..., changes: _Optional[_Iterable[_Union[AdmittingChange, _Mapping]]] = ..., changes_tried: _Optional[int] = ...) -> None: ...

class PoolAnswer(_message.Message):
    __slots__ = ("pool_id", "verdict", "accelerators_needed", "accelerators_free", "cost_usd_micros_per_useful_hour")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_NEEDED_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_FREE_FIELD_NUMBER: _ClassVar[int]
    COST_USD_MICROS_PER_USEFUL_HOUR_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    verdict: _job_pb2.PoolVerdict
    accelerators_needed: int
    accelerators_free: int
    cost_usd_micros_per_useful_hour: int
    def __init__(self, pool_id: _Optional[str] = ..., verdict: _Optional[_Union[_job_pb2.PoolVerdict, str]] = ..., accelerators_needed: _Optional[int] = ..., accelerators_free: _Optional[int] = ..., cost_usd_micros_per_useful_hour: _Optional[int] = ...) -> None: ...

class AdmittingChange(_message.Message):
    __slots__ = ("kind", "pool_id", "field", "queue", "cohort", "resource", "amount")
    KIND_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    COHORT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    kind: ChangeKind
    pool_id: str
    field: str
    queue: str
    cohort: str
    resource: str
    amount: int
    def __init__(self, kind: _Optional[_Union[ChangeKind, str]] = ..., pool_id: _Optional[str] = ..., field: _Optional[str] = ..., queue: _Optional[str] = ..., cohort: _Optional[str] = ..., resource: _Optional[str] = ..., amount: _Optional[int] = ...) -> None: ...

class WhyPlaced(_message.Message):
    __slots__ = ("placement", "value", "work_usd_micros_per_hour", "price_usd_micros_per_hour", "urgency_usd_micros_per_hour", "shadow_usd_micros_per_hour")
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    WORK_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    PRICE_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    URGENCY_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    SHADOW_USD_MICROS_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    placement: _job_pb2.Placement
    value: _job_pb2.PlacementValue
    work_usd_micros_per_hour: int
    price_usd_micros_per_hour: int
    urgency_usd_micros_per_hour: int
    shadow_usd_micros_per_hour: int
    def __init__(self, placement: _Optional[_Union[_job_pb2.Placement, _Mapping]] = ..., value: _Optional[_Union[_job_pb2.PlacementValue, _Mapping]] = ..., work_usd_micros_per_hour: _Optional[int] = ..., price_usd_micros_per_hour: _Optional[int] = ..., urgency_usd_micros_per_hour: _Optional[int] = ..., shadow_usd_micros_per_hour: _Optional[int] = ...) -> None: ...
