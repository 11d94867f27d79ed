import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from placewright.v1 import job_pb2 as _job_pb2
from placewright.v1 import pool_pb2 as _pool_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DesiredState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DESIRED_STATE_UNSPECIFIED: _ClassVar[DesiredState]
    DESIRED_STATE_RUN: _ClassVar[DesiredState]
    DESIRED_STATE_STOP: _ClassVar[DesiredState]
DESIRED_STATE_UNSPECIFIED: DesiredState
DESIRED_STATE_RUN: DesiredState
DESIRED_STATE_STOP: DesiredState

class LauncherHello(_message.Message):
    __slots__ = ("launcher_id", "version")
    LAUNCHER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    launcher_id: str
    version: str
    def __init__(self, launcher_id: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class LauncherPoolStatus(_message.Message):
    __slots__ = ("pool_id", "unavailable_nodes", "message")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_NODES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    unavailable_nodes: _containers.RepeatedScalarFieldContainer[str]
    message: str
    def __init__(self, pool_id: _Optional[str] = ..., unavailable_nodes: _Optional[_Iterable[str]] = ..., message: _Optional[str] = ...) -> None: ...

class RunFacts(_message.Message):
    __slots__ = ("job_id", "job_name", "replica_index", "run_number", "placement", "grace_period", "claimed_at")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    REPLICA_INDEX_FIELD_NUMBER: _ClassVar[int]
    RUN_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    GRACE_PERIOD_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_AT_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    job_name: str
    replica_index: int
    run_number: int
    placement: _job_pb2.Placement
    grace_period: _duration_pb2.Duration
    claimed_at: _timestamp_pb2.Timestamp
    def __init__(self, job_id: _Optional[str] = ..., job_name: _Optional[str] = ..., replica_index: _Optional[int] = ..., run_number: _Optional[int] = ..., placement: _Optional[_Union[_job_pb2.Placement, _Mapping]] = ..., grace_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., claimed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RunReport(_message.Message):
    __slots__ = ("run_id", "run_token", "state", "end_reason", "exit_code", "message", "facts")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    END_REASON_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    run_token: int
    state: _job_pb2.RunState
    end_reason: _job_pb2.EndReason
    exit_code: int
    message: str
    facts: RunFacts
    def __init__(self, run_id: _Optional[str] = ..., run_token: _Optional[int] = ..., state: _Optional[_Union[_job_pb2.RunState, str]] = ..., end_reason: _Optional[_Union[_job_pb2.EndReason, str]] = ..., exit_code: _Optional[int] = ..., message: _Optional[str] = ..., facts: _Optional[_Union[RunFacts, _Mapping]] = ...) -> None: ...

class SnapshotEnd(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Ack(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class AttachRequest(_message.Message):
    __slots__ = ("sequence", "hello", "pool_status", "run", "snapshot_end", "ack")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    POOL_STATUS_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    hello: LauncherHello
    pool_status: LauncherPoolStatus
    run: RunReport
    snapshot_end: SnapshotEnd
    ack: Ack
    def __init__(self, sequence: _Optional[int] = ..., hello: _Optional[_Union[LauncherHello, _Mapping]] = ..., pool_status: _Optional[_Union[LauncherPoolStatus, _Mapping]] = ..., run: _Optional[_Union[RunReport, _Mapping]] = ..., snapshot_end: _Optional[_Union[SnapshotEnd, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ...) -> None: ...

class SessionOpened(_message.Message):
    __slots__ = ("session", "lease_duration", "history")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    LEASE_DURATION_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    session: str
    lease_duration: _duration_pb2.Duration
    history: str
    def __init__(self, session: _Optional[str] = ..., lease_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., history: _Optional[str] = ...) -> None: ...

class ServedPool(_message.Message):
    __slots__ = ("pool_id", "spec")
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    spec: _pool_pb2.PoolSpec
    def __init__(self, pool_id: _Optional[str] = ..., spec: _Optional[_Union[_pool_pb2.PoolSpec, _Mapping]] = ...) -> None: ...

class ServedPoolRemoved(_message.Message):
    __slots__ = ("pool_id",)
    POOL_ID_FIELD_NUMBER: _ClassVar[int]
    pool_id: str
    def __init__(self, pool_id: _Optional[str] = ...) -> None: ...

class DesiredRun(_message.Message):
    __slots__ = ("run_id", "generation", "desired", "claimed", "run_token", "placement", "stop_reason", "grace_period")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    DESIRED_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    RUN_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    STOP_REASON_FIELD_NUMBER: _ClassVar[int]
    GRACE_PERIOD_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    generation: int
    desired: DesiredState
    claimed: bool
    run_token: int
    placement: _job_pb2.Placement
    stop_reason: _job_pb2.EndReason
    grace_period: _duration_pb2.Duration
    def __init__(self, run_id: _Optional[str] = ..., generation: _Optional[int] = ..., desired: _Optional[_Union[DesiredState, str]] = ..., claimed: _Optional[bool] = ..., run_token: _Optional[int] = ..., placement: _Optional[_Union[_job_pb2.Placement, _Mapping]] = ..., stop_reason: _Optional[_Union[_job_pb2.EndReason, str]] = ..., grace_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RunReleased(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AttachResponse(_message.Message):
    __slots__ = ("sequence", "session_opened", "served_pool", "served_pool_removed", "desired_run", "run_released", "snapshot_end", "ack", "heartbeat")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_OPENED_FIELD_NUMBER: _ClassVar[int]
    SERVED_POOL_FIELD_NUMBER: _ClassVar[int]
    SERVED_POOL_REMOVED_FIELD_NUMBER: _ClassVar[int]
    DESIRED_RUN_FIELD_NUMBER: _ClassVar[int]
    RUN_RELEASED_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    session_opened: SessionOpened
    served_pool: ServedPool
    served_pool_removed: ServedPoolRemoved
    desired_run: DesiredRun
    run_released: RunReleased
    snapshot_end: SnapshotEnd
    ack: Ack
    heartbeat: Heartbeat
    def __init__(self, sequence: _Optional[int] = ..., session_opened: _Optional[_Union[SessionOpened, _Mapping]] = ..., served_pool: _Optional[_Union[ServedPool, _Mapping]] = ..., served_pool_removed: _Optional[_Union[ServedPoolRemoved, _Mapping]] = ..., desired_run: _Optional[_Union[DesiredRun, _Mapping]] = ..., run_released: _Optional[_Union[RunReleased, _Mapping]] = ..., snapshot_end: _Optional[_Union[SnapshotEnd, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class ClaimRunRequest(_message.Message):
    __slots__ = ("launcher_id", "session", "run_id")
    LAUNCHER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    launcher_id: str
    session: str
    run_id: str
    def __init__(self, launcher_id: _Optional[str] = ..., session: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class ClaimRunResponse(_message.Message):
    __slots__ = ("run_token", "payload", "job_id", "job_name", "replica_index", "run_number")
    RUN_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    JOB_NAME_FIELD_NUMBER: _ClassVar[int]
    REPLICA_INDEX_FIELD_NUMBER: _ClassVar[int]
    RUN_NUMBER_FIELD_NUMBER: _ClassVar[int]
    run_token: int
    payload: _job_pb2.LaunchPayload
    job_id: str
    job_name: str
    replica_index: int
    run_number: int
    def __init__(self, run_token: _Optional[int] = ..., payload: _Optional[_Union[_job_pb2.LaunchPayload, _Mapping]] = ..., job_id: _Optional[str] = ..., job_name: _Optional[str] = ..., replica_index: _Optional[int] = ..., run_number: _Optional[int] = ...) -> None: ...

class RenewRunsRequest(_message.Message):
    __slots__ = ("launcher_id", "session")
    LAUNCHER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    launcher_id: str
    session: str
    def __init__(self, launcher_id: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class RenewRunsResponse(_message.Message):
    __slots__ = ("lease_duration", "renewal_number")
    LEASE_DURATION_FIELD_NUMBER: _ClassVar[int]
    RENEWAL_NUMBER_FIELD_NUMBER: _ClassVar[int]
    lease_duration: _duration_pb2.Duration
    renewal_number: int
    def __init__(self, lease_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., renewal_number: _Optional[int] = ...) -> None: ...

class ReportRunsRequest(_message.Message):
    __slots__ = ("launcher_id", "session", "reports")
    LAUNCHER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    launcher_id: str
    session: str
    reports: _containers.RepeatedCompositeFieldContainer[RunReport]
    def __init__(self, launcher_id: _Optional[str] = ..., session: _Optional[str] = ..., reports: _Optional[_Iterable[_Union[RunReport, _Mapping]]] = ...) -> None: ...

class ReportRunsResponse(_message.Message):
    __slots__ = ("results", "revision")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_status_pb2.Status]
    revision: int
    def __init__(self, results: _Optional[_Iterable[_Union[_status_pb2.Status, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...
