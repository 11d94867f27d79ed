from placewright.v1 import job_pb2 as _job_pb2
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
