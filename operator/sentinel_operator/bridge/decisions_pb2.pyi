# Generated from decisions.proto; do not edit.
# mypy: ignore-errors
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TelemetryPoint(_message.Message):
    __slots__ = ("name", "value", "labels", "ts")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TS_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    labels: _containers.ScalarMap[str, str]
    ts: int
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., labels: _Optional[_Mapping[str, str]] = ..., ts: _Optional[int] = ...) -> None: ...

class TelemetryBatch(_message.Message):
    __slots__ = ("points", "cluster_id", "batch_id")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[TelemetryPoint]
    cluster_id: str
    batch_id: str
    def __init__(self, points: _Optional[_Iterable[_Union[TelemetryPoint, _Mapping]]] = ..., cluster_id: _Optional[str] = ..., batch_id: _Optional[str] = ...) -> None: ...

class TelemetryRef(_message.Message):
    __slots__ = ("batch_id", "cluster_id")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    cluster_id: str
    def __init__(self, batch_id: _Optional[str] = ..., cluster_id: _Optional[str] = ...) -> None: ...

class ActionPlanRequest(_message.Message):
    __slots__ = ("cluster_id", "filters")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    filters: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cluster_id: _Optional[str] = ..., filters: _Optional[_Iterable[str]] = ...) -> None: ...

class Safety(_message.Message):
    __slots__ = ("rate_limit", "window")
    RATE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    rate_limit: int
    window: str
    def __init__(self, rate_limit: _Optional[int] = ..., window: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("verb", "target", "params", "ttl", "safety", "id", "depends_on", "preconditions")
    class TargetEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VERB_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    SAFETY_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    PRECONDITIONS_FIELD_NUMBER: _ClassVar[int]
    verb: str
    target: _containers.ScalarMap[str, str]
    params: _containers.ScalarMap[str, str]
    ttl: int
    safety: Safety
    id: str
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    preconditions: Preconditions
    def __init__(self, verb: _Optional[str] = ..., target: _Optional[_Mapping[str, str]] = ..., params: _Optional[_Mapping[str, str]] = ..., ttl: _Optional[int] = ..., safety: _Optional[_Union[Safety, _Mapping]] = ..., id: _Optional[str] = ..., depends_on: _Optional[_Iterable[str]] = ..., preconditions: _Optional[_Union[Preconditions, _Mapping]] = ...) -> None: ...

class Preconditions(_message.Message):
    __slots__ = ("uid", "generation", "metrics")
    UID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    uid: str
    generation: int
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    def __init__(self, uid: _Optional[str] = ..., generation: _Optional[int] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "prometheus", "web", "max", "min", "success_condition", "failure_condition", "interval", "count", "failure_limit", "consecutive_error_limit", "initial_delay")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROMETHEUS_FIELD_NUMBER: _ClassVar[int]
    WEB_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_CONDITION_FIELD_NUMBER: _ClassVar[int]
    FAILURE_CONDITION_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_ERROR_LIMIT_FIELD_NUMBER: _ClassVar[int]
    INITIAL_DELAY_FIELD_NUMBER: _ClassVar[int]
    name: str
    prometheus: Prometheus
    web: Web
    max: float
    min: float
    success_condition: str
    failure_condition: str
    interval: str
    count: int
    failure_limit: int
    consecutive_error_limit: int
    initial_delay: str
    def __init__(self, name: _Optional[str] = ..., prometheus: _Optional[_Union[Prometheus, _Mapping]] = ..., web: _Optional[_Union[Web, _Mapping]] = ..., max: _Optional[float] = ..., min: _Optional[float] = ..., success_condition: _Optional[str] = ..., failure_condition: _Optional[str] = ..., interval: _Optional[str] = ..., count: _Optional[int] = ..., failure_limit: _Optional[int] = ..., consecutive_error_limit: _Optional[int] = ..., initial_delay: _Optional[str] = ...) -> None: ...

class Prometheus(_message.Message):
    __slots__ = ("address", "query", "timeout")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    address: str
    query: str
    timeout: str
    def __init__(self, address: _Optional[str] = ..., query: _Optional[str] = ..., timeout: _Optional[str] = ...) -> None: ...

class Web(_message.Message):
    __slots__ = ("url", "json_path", "timeout")
    URL_FIELD_NUMBER: _ClassVar[int]
    JSON_PATH_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    url: str
    json_path: str
    timeout: str
    def __init__(self, url: _Optional[str] = ..., json_path: _Optional[str] = ..., timeout: _Optional[str] = ...) -> None: ...

class Verify(_message.Message):
    __slots__ = ("metrics", "timeout")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    timeout: str
    def __init__(self, metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., timeout: _Optional[str] = ...) -> None: ...

class ActionPlan(_message.Message):
    __slots__ = ("plan_id", "decisions", "source", "created_at", "correlation_id", "mode", "on_failure", "verify", "evidence")
    class EvidenceEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ON_FAILURE_FIELD_NUMBER: _ClassVar[int]
    VERIFY_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    decisions: _containers.RepeatedCompositeFieldContainer[Decision]
    source: str
    created_at: int
    correlation_id: str
    mode: str
    on_failure: str
    verify: Verify
    evidence: _containers.ScalarMap[str, str]
    def __init__(self, plan_id: _Optional[str] = ..., decisions: _Optional[_Iterable[_Union[Decision, _Mapping]]] = ..., source: _Optional[str] = ..., created_at: _Optional[int] = ..., correlation_id: _Optional[str] = ..., mode: _Optional[str] = ..., on_failure: _Optional[str] = ..., verify: _Optional[_Union[Verify, _Mapping]] = ..., evidence: _Optional[_Mapping[str, str]] = ...) -> None: ...

class PlanAck(_message.Message):
    __slots__ = ("plan_id", "success", "message", "executed_at", "metrics")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_AT_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    plan_id: str
    success: bool
    message: str
    executed_at: int
    metrics: _containers.ScalarMap[str, str]
    def __init__(self, plan_id: _Optional[str] = ..., success: _Optional[bool] = ..., message: _Optional[str] = ..., executed_at: _Optional[int] = ..., metrics: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("success", "message")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    success: bool
    message: str
    def __init__(self, success: _Optional[bool] = ..., message: _Optional[str] = ...) -> None: ...
