import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from placewright.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PoolJumpKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POOL_JUMP_KIND_UNSPECIFIED: _ClassVar[PoolJumpKind]
    POOL_JUMP_KIND_PRICE: _ClassVar[PoolJumpKind]
    POOL_JUMP_KIND_CAPACITY: _ClassVar[PoolJumpKind]
POOL_JUMP_KIND_UNSPECIFIED: PoolJumpKind
POOL_JUMP_KIND_PRICE: PoolJumpKind
POOL_JUMP_KIND_CAPACITY: PoolJumpKind

class NodeGroup(_message.Message):
    __slots__ = ("nodes", "devices_per_node")
    NODES_FIELD_NUMBER: _ClassVar[int]
    DEVICES_PER_NODE_FIELD_NUMBER: _ClassVar[int]
    nodes: int
    devices_per_node: int
    def __init__(self, nodes: _Optional[int] = ..., devices_per_node: _Optional[int] = ...) -> None: ...

class SliceGroup(_message.Message):
    __slots__ = ("slices", "topology")
    SLICES_FIELD_NUMBER: _ClassVar[int]
    TOPOLOGY_FIELD_NUMBER: _ClassVar[int]
    slices: int
    topology: str
    def __init__(self, slices: _Optional[int] = ..., topology: _Optional[str] = ...) -> None: ...

class PoolSpec(_message.Message):
    __slots__ = ("accelerator", "provider", "region", "zone", "market", "node_groups", "slice_groups", "limit_accelerators", "price_usd_micros_per_accelerator_hour", "jurisdiction", "launcher_id", "self_fencing", "lease_duration")
    ACCELERATOR_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    MARKET_FIELD_NUMBER: _ClassVar[int]
    NODE_GROUPS_FIELD_NUMBER: _ClassVar[int]
    SLICE_GROUPS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_ACCELERATORS_FIELD_NUMBER: _ClassVar[int]
    PRICE_USD_MICROS_PER_ACCELERATOR_HOUR_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    LAUNCHER_ID_FIELD_NUMBER: _ClassVar[int]
    SELF_FENCING_FIELD_NUMBER: _ClassVar[int]
    LEASE_DURATION_FIELD_NUMBER: _ClassVar[int]
    accelerator: str
    provider: str
    region: str
    zone: str
    market: _job_pb2.Market
    node_groups: _containers.RepeatedCompositeFieldContainer[NodeGroup]
    slice_groups: _containers.RepeatedCompositeFieldContainer[SliceGroup]
    limit_accelerators: int
    price_usd_micros_per_accelerator_hour: int
    jurisdiction: str
    launcher_id: str
    self_fencing: bool
    lease_duration: _duration_pb2.Duration
    def __init__(self, accelerator: _Optional[str] = ..., provider: _Optional[str] = ..., region: _Optional[str] = ..., zone: _Optional[str] = ..., market: _Optional[_Union[_job_pb2.Market, str]] = ..., node_groups: _Optional[_Iterable[_Union[NodeGroup, _Mapping]]] = ..., slice_groups: _Optional[_Iterable[_Union[SliceGroup, _Mapping]]] = ..., limit_accelerators: _Optional[int] = ..., price_usd_micros_per_accelerator_hour: _Optional[int] = ..., jurisdiction: _Optional[str] = ..., launcher_id: _Optional[str] = ..., self_fencing: _Optional[bool] = ..., lease_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PoolStatus(_message.Message):
    __slots__ = ("ready", "unavailable_nodes", "message")
    READY_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_NODES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ready: bool
    unavailable_nodes: _containers.RepeatedScalarFieldContainer[str]
    message: str
    def __init__(self, ready: _Optional[bool] = ..., unavailable_nodes: _Optional[_Iterable[str]] = ..., message: _Optional[str] = ...) -> None: ...

class Cordon(_message.Message):
    __slots__ = ("reason", "principal", "cordoned_at")
    REASON_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    CORDONED_AT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    principal: str
    cordoned_at: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[str] = ..., principal: _Optional[str] = ..., cordoned_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class NodeCordon(_message.Message):
    __slots__ = ("node", "cordon")
    NODE_FIELD_NUMBER: _ClassVar[int]
    CORDON_FIELD_NUMBER: _ClassVar[int]
    node: str
    cordon: Cordon
    def __init__(self, node: _Optional[str] = ..., cordon: _Optional[_Union[Cordon, _Mapping]] = ...) -> None: ...

class PoolUsage(_message.Message):
    __slots__ = ("accelerators", "accelerators_used", "runs", "accelerators_believed_free")
    ACCELERATORS_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_USED_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_BELIEVED_FREE_FIELD_NUMBER: _ClassVar[int]
    accelerators: int
    accelerators_used: int
    runs: int
    accelerators_believed_free: int
    def __init__(self, accelerators: _Optional[int] = ..., accelerators_used: _Optional[int] = ..., runs: _Optional[int] = ..., accelerators_believed_free: _Optional[int] = ...) -> None: ...

class PoolJump(_message.Message):
    __slots__ = ("what", "confirmed", "unconfirmed", "principal", "since")
    WHAT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    what: PoolJumpKind
    confirmed: int
    unconfirmed: int
    principal: str
    since: _timestamp_pb2.Timestamp
    def __init__(self, what: _Optional[_Union[PoolJumpKind, str]] = ..., confirmed: _Optional[int] = ..., unconfirmed: _Optional[int] = ..., principal: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Pool(_message.Message):
    __slots__ = ("pool_id", "spec", "status", "cordon", "deleting", "usage", "etag", "revision", "node_cordons", "unconfirmed_jumps")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CORDON_FIELD_NUMBER: _ClassVar[int]
    DELETING_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    NODE_CORDONS_FIELD_NUMBER: _ClassVar[int]
    UNCONFIRMED_JUMPS_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    spec: PoolSpec
    status: PoolStatus
    cordon: Cordon
    deleting: bool
    usage: PoolUsage
    etag: str
    revision: int
    node_cordons: _containers.RepeatedCompositeFieldContainer[NodeCordon]
    unconfirmed_jumps: _containers.RepeatedCompositeFieldContainer[PoolJump]
    def __init__(self, pool_id: _Optional[str] = ..., spec: _Optional[_Union[PoolSpec, _Mapping]] = ..., status: _Optional[_Union[PoolStatus, _Mapping]] = ..., cordon: _Optional[_Union[Cordon, _Mapping]] = ..., deleting: _Optional[bool] = ..., usage: _Optional[_Union[PoolUsage, _Mapping]] = ..., etag: _Optional[str] = ..., revision: _Optional[int] = ..., node_cordons: _Optional[_Iterable[_Union[NodeCordon, _Mapping]]] = ..., unconfirmed_jumps: _Optional[_Iterable[_Union[PoolJump, _Mapping]]] = ...) -> None: ...
