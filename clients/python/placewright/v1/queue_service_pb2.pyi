from placewright.v1 import job_pb2 as _job_pb2
from placewright.v1 import queue_pb2 as _queue_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Queue(_message.Message):
    __slots__ = ("queue", "unfinished_jobs", "waiting_jobs", "waiting_replicas", "live_runs", "accelerators_used", "hold", "spec", "usage", "etag")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    UNFINISHED_JOBS_FIELD_NUMBER: _ClassVar[int]
    WAITING_JOBS_FIELD_NUMBER: _ClassVar[int]
    WAITING_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    LIVE_RUNS_FIELD_NUMBER: _ClassVar[int]
    ACCELERATORS_USED_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    queue: str
    unfinished_jobs: int
    waiting_jobs: int
    waiting_replicas: int
    live_runs: int
    accelerators_used: int
    hold: _job_pb2.Freeze
    spec: _queue_pb2.QueueSpec
    usage: _containers.RepeatedCompositeFieldContainer[_queue_pb2.QuotaUsage]
    etag: str
    def __init__(self, queue: _Optional[str] = ..., unfinished_jobs: _Optional[int] = ..., waiting_jobs: _Optional[int] = ..., waiting_replicas: _Optional[int] = ..., live_runs: _Optional[int] = ..., accelerators_used: _Optional[int] = ..., hold: _Optional[_Union[_job_pb2.Freeze, _Mapping]] = ..., spec: _Optional[_Union[_queue_pb2.QueueSpec, _Mapping]] = ..., usage: _Optional[_Iterable[_Union[_queue_pb2.QuotaUsage, _Mapping]]] = ..., etag: _Optional[str] = ...) -> None: ...

class ApplyQueueRequest(_message.Message):
    __slots__ = ("queue", "spec", "etag", "request_id")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    queue: str
    spec: _queue_pb2.QueueSpec
    etag: str
    request_id: str
    def __init__(self, queue: _Optional[str] = ..., spec: _Optional[_Union[_queue_pb2.QueueSpec, _Mapping]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ApplyQueueResponse(_message.Message):
    __slots__ = ("queue", "revision")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    queue: Queue
    revision: int
    def __init__(self, queue: _Optional[_Union[Queue, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class GetQueueRequest(_message.Message):
    __slots__ = ("queue", "min_revision")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    queue: str
    min_revision: int
    def __init__(self, queue: _Optional[str] = ..., min_revision: _Optional[int] = ...) -> None: ...

class GetQueueResponse(_message.Message):
    __slots__ = ("queue",)
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    queue: Queue
    def __init__(self, queue: _Optional[_Union[Queue, _Mapping]] = ...) -> None: ...

class DeleteQueueRequest(_message.Message):
    __slots__ = ("queue", "etag", "request_id")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    queue: str
    etag: str
    request_id: str
    def __init__(self, queue: _Optional[str] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteQueueResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class ApplyCohortRequest(_message.Message):
    __slots__ = ("cohort", "spec", "etag", "request_id")
    COHORT_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    cohort: str
    spec: _queue_pb2.CohortSpec
    etag: str
    request_id: str
    def __init__(self, cohort: _Optional[str] = ..., spec: _Optional[_Union[_queue_pb2.CohortSpec, _Mapping]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ApplyCohortResponse(_message.Message):
    __slots__ = ("cohort", "revision")
    COHORT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    cohort: _queue_pb2.Cohort
    revision: int
    def __init__(self, cohort: _Optional[_Union[_queue_pb2.Cohort, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class ListCohortsRequest(_message.Message):
    __slots__ = ("min_revision",)
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    min_revision: int
    def __init__(self, min_revision: _Optional[int] = ...) -> None: ...

class ListCohortsResponse(_message.Message):
    __slots__ = ("cohorts",)
    COHORTS_FIELD_NUMBER: _ClassVar[int]
    cohorts: _containers.RepeatedCompositeFieldContainer[_queue_pb2.Cohort]
    def __init__(self, cohorts: _Optional[_Iterable[_Union[_queue_pb2.Cohort, _Mapping]]] = ...) -> None: ...

class DeleteCohortRequest(_message.Message):
    __slots__ = ("cohort", "etag", "request_id")
    COHORT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    cohort: str
    etag: str
    request_id: str
    def __init__(self, cohort: _Optional[str] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteCohortResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class ListQueuesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "min_revision")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    min_revision: int
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., min_revision: _Optional[int] = ...) -> None: ...

class ListQueuesResponse(_message.Message):
    __slots__ = ("queues", "next_page_token")
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    queues: _containers.RepeatedCompositeFieldContainer[Queue]
    next_page_token: str
    def __init__(self, queues: _Optional[_Iterable[_Union[Queue, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class HoldQueueRequest(_message.Message):
    __slots__ = ("queue", "reason", "request_id")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    queue: str
    reason: str
    request_id: str
    def __init__(self, queue: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class HoldQueueResponse(_message.Message):
    __slots__ = ("hold", "revision")
    HOLD_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    hold: _job_pb2.Freeze
    revision: int
    def __init__(self, hold: _Optional[_Union[_job_pb2.Freeze, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class ReleaseQueueRequest(_message.Message):
    __slots__ = ("queue", "request_id")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    queue: str
    request_id: str
    def __init__(self, queue: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ReleaseQueueResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...
