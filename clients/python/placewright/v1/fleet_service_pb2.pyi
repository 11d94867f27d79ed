from placewright.v1 import job_pb2 as _job_pb2
from placewright.v1 import pool_pb2 as _pool_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplyPoolRequest(_message.Message):
    __slots__ = ("pool_id", "spec", "etag", "request_id", "confirm_jumps")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_JUMPS_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    spec: _pool_pb2.PoolSpec
    etag: str
    request_id: str
    confirm_jumps: bool
    def __init__(self, pool_id: _Optional[str] = ..., spec: _Optional[_Union[_pool_pb2.PoolSpec, _Mapping]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ..., confirm_jumps: _Optional[bool] = ...) -> None: ...

class ApplyPoolResponse(_message.Message):
    __slots__ = ("pool", "revision")
    POOL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    pool: _pool_pb2.Pool
    revision: int
    def __init__(self, pool: _Optional[_Union[_pool_pb2.Pool, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class ConfirmPoolRequest(_message.Message):
    __slots__ = ("pool_id", "etag", "request_id", "price_usd_micros_per_accelerator_hour", "accelerators")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_USD_MICROS_PER_ACCELERATOR_HOUR_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    etag: str
    request_id: str
    price_usd_micros_per_accelerator_hour: int
    accelerators: int
    def __init__(self, pool_id: _Optional[str] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ..., price_usd_micros_per_accelerator_hour: _Optional[int] = ..., accelerators: _Optional[int] = ...) -> None: ...

class ConfirmPoolResponse(_message.Message):
    __slots__ = ("pool", "revision")
    POOL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    pool: _pool_pb2.Pool
    revision: int
    def __init__(self, pool: _Optional[_Union[_pool_pb2.Pool, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class GetPoolRequest(_message.Message):
    __slots__ = ("pool_id", "min_revision")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    min_revision: int
    def __init__(self, pool_id: _Optional[str] = ..., min_revision: _Optional[int] = ...) -> None: ...

class GetPoolResponse(_message.Message):
    __slots__ = ("pool",)
    POOL_FIELD_NUMBER: _ClassVar[int]
    pool: _pool_pb2.Pool
    def __init__(self, pool: _Optional[_Union[_pool_pb2.Pool, _Mapping]] = ...) -> None: ...

class ListPoolsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "min_revision")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    min_revision: int
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., min_revision: _Optional[int] = ...) -> None: ...

class ListPoolsResponse(_message.Message):
    __slots__ = ("pools", "next_page_token")
    POOLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pools: _containers.RepeatedCompositeFieldContainer[_pool_pb2.Pool]
    next_page_token: str
    def __init__(self, pools: _Optional[_Iterable[_Union[_pool_pb2.Pool, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CordonPoolRequest(_message.Message):
    __slots__ = ("pool_id", "reason", "request_id")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    reason: str
    request_id: str
    def __init__(self, pool_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CordonPoolResponse(_message.Message):
    __slots__ = ("pool", "revision")
    POOL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    pool: _pool_pb2.Pool
    revision: int
    def __init__(self, pool: _Optional[_Union[_pool_pb2.Pool, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class UncordonPoolRequest(_message.Message):
    __slots__ = ("pool_id", "request_id")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    request_id: str
    def __init__(self, pool_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UncordonPoolResponse(_message.Message):
    __slots__ = ("pool", "revision")
    POOL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    pool: _pool_pb2.Pool
    revision: int
    def __init__(self, pool: _Optional[_Union[_pool_pb2.Pool, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class CordonNodesRequest(_message.Message):
    __slots__ = ("pool_id", "node_names", "reason", "request_id")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_NAMES_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    node_names: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    request_id: str
    def __init__(self, pool_id: _Optional[str] = ..., node_names: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CordonNodesResponse(_message.Message):
    __slots__ = ("pool", "revision")
    POOL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    pool: _pool_pb2.Pool
    revision: int
    def __init__(self, pool: _Optional[_Union[_pool_pb2.Pool, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class UncordonNodesRequest(_message.Message):
    __slots__ = ("pool_id", "node_names", "request_id")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_NAMES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    node_names: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    def __init__(self, pool_id: _Optional[str] = ..., node_names: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class UncordonNodesResponse(_message.Message):
    __slots__ = ("pool", "revision")
    POOL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    pool: _pool_pb2.Pool
    revision: int
    def __init__(self, pool: _Optional[_Union[_pool_pb2.Pool, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class DeletePoolRequest(_message.Message):
    __slots__ = ("pool_id", "etag", "request_id")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    etag: str
    request_id: str
    def __init__(self, pool_id: _Optional[str] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeletePoolResponse(_message.Message):
    __slots__ = ("pool", "revision")
    POOL_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    pool: _pool_pb2.Pool
    revision: int
    def __init__(self, pool: _Optional[_Union[_pool_pb2.Pool, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class ForceEndRunRequest(_message.Message):
    __slots__ = ("run_id", "reason", "request_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    reason: str
    request_id: str
    def __init__(self, run_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ForceEndRunResponse(_message.Message):
    __slots__ = ("run", "revision")
    RUN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    run: _job_pb2.Run
    revision: int
    def __init__(self, run: _Optional[_Union[_job_pb2.Run, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class PinReplicaRequest(_message.Message):
    __slots__ = ("replica_id", "pool_id", "reason", "request_id")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    pool_id: str
    reason: str
    request_id: str
    def __init__(self, replica_id: _Optional[str] = ..., pool_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PinReplicaResponse(_message.Message):
    __slots__ = ("replica", "revision")
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    replica: _job_pb2.Replica
    revision: int
    def __init__(self, replica: _Optional[_Union[_job_pb2.Replica, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class UnpinReplicaRequest(_message.Message):
    __slots__ = ("replica_id", "request_id")
    REPLICA_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    replica_id: str
    request_id: str
    def __init__(self, replica_id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UnpinReplicaResponse(_message.Message):
    __slots__ = ("replica", "revision")
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    replica: _job_pb2.Replica
    revision: int
    def __init__(self, replica: _Optional[_Union[_job_pb2.Replica, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class FreezePlanningRequest(_message.Message):
    __slots__ = ("scope", "reason", "request_id")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    scope: _job_pb2.FreezeScope
    reason: str
    request_id: str
    def __init__(self, scope: _Optional[_Union[_job_pb2.FreezeScope, _Mapping]] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class FreezePlanningResponse(_message.Message):
    __slots__ = ("freeze", "revision")
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    freeze: _job_pb2.Freeze
    revision: int
    def __init__(self, freeze: _Optional[_Union[_job_pb2.Freeze, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class UnfreezePlanningRequest(_message.Message):
    __slots__ = ("scope", "request_id")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    scope: _job_pb2.FreezeScope
    request_id: str
    def __init__(self, scope: _Optional[_Union[_job_pb2.FreezeScope, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class UnfreezePlanningResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class ListFreezesRequest(_message.Message):
    __slots__ = ("min_revision",)
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    min_revision: int
    def __init__(self, min_revision: _Optional[int] = ...) -> None: ...

class ListFreezesResponse(_message.Message):
    __slots__ = ("freezes",)
    FREEZES_FIELD_NUMBER: _ClassVar[int]
    freezes: _containers.RepeatedCompositeFieldContainer[_job_pb2.Freeze]
    def __init__(self, freezes: _Optional[_Iterable[_Union[_job_pb2.Freeze, _Mapping]]] = ...) -> None: ...
