from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Quota(_message.Message):
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

class QueueSpec(_message.Message):
    __slots__ = ("cohort", "weight_permille", "quotas")
    COHORT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_PERMILLE_FIELD_NUMBER: _ClassVar[int]
    QUOTAS_FIELD_NUMBER: _ClassVar[int]
    cohort: str
    weight_permille: int
    quotas: _containers.RepeatedCompositeFieldContainer[Quota]
    def __init__(self, cohort: _Optional[str] = ..., weight_permille: _Optional[int] = ..., quotas: _Optional[_Iterable[_Union[Quota, _Mapping]]] = ...) -> None: ...

class CohortSpec(_message.Message):
    __slots__ = ("parent", "quotas")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    QUOTAS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    quotas: _containers.RepeatedCompositeFieldContainer[Quota]
    def __init__(self, parent: _Optional[str] = ..., quotas: _Optional[_Iterable[_Union[Quota, _Mapping]]] = ...) -> None: ...

class QuotaUsage(_message.Message):
    __slots__ = ("resource", "nominal", "used", "borrowed", "available")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    NOMINAL_FIELD_NUMBER: _ClassVar[int]
    USED_FIELD_NUMBER: _ClassVar[int]
    BORROWED_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    resource: str
    nominal: int
    used: int
    borrowed: int
    available: int
    def __init__(self, resource: _Optional[str] = ..., nominal: _Optional[int] = ..., used: _Optional[int] = ..., borrowed: _Optional[int] = ..., available: _Optional[int] = ...) -> None: ...

class Cohort(_message.Message):
    __slots__ = ("cohort", "spec", "usage", "etag")
    COHORT_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    cohort: str
    spec: CohortSpec
    usage: _containers.RepeatedCompositeFieldContainer[QuotaUsage]
    etag: str
    def __init__(self, cohort: _Optional[str] = ..., spec: _Optional[_Union[CohortSpec, _Mapping]] = ..., usage: _Optional[_Iterable[_Union[QuotaUsage, _Mapping]]] = ..., etag: _Optional[str] = ...) -> None: ...
