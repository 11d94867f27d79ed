"""Every series of the service: `Metrics` is made once by the composition root and handed down.

Names start with `placewright_` and end in their unit. Labels come from enums, from the fleet, or from
priority classes, queues and RPCs: never a job id. What follows from the state is in `state_series`;
every process exports it from its own mirror, so boards take the maximum over instances.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector

from scheduler.model.ids import PriorityClassName
from scheduler.model.priority import DEFAULT_PRIORITY_CLASSES
from scheduler.model.state import State
from scheduler.telemetry.control_series import ControlSeries
from scheduler.telemetry.lifecycle_series import LifecycleSeries
from scheduler.telemetry.plan_series import PlanSeries
from scheduler.telemetry.rpc_series import RpcSeries
from scheduler.telemetry.shadow_series import ShadowSeries
from scheduler.telemetry.state_series import StateSeries
from scheduler.telemetry.store_series import StoreSeries

DEFAULT_CLASS_NAMES = tuple(priority_class.name for priority_class in DEFAULT_PRIORITY_CLASSES)


class Metrics:
    """All series, by who records them.

    Attributes:
        registry: what /metrics shows; its own, so that a process can hold several.
        rpc: the gRPC interceptor.
        store: whoever calls the state store, and the mirror's feeder.
        control: leadership and the cycle.
        plan: the cycle, per plan.
        shadow: the cycle in shadow mode, per plan.
        lifecycle: the mirror's feeder, per commit.
        state: through `observe_state`.
    """

    def __init__(
        self,
        *,
        priority_classes: Iterable[PriorityClassName] = DEFAULT_CLASS_NAMES,
        rpcs: Iterable[str] = (),
        streams: Iterable[str] = (),
    ) -> None:
        """Declare every series; those whose labels are known start at 0.

        Args:
            rpcs: unary methods as "JobService/SubmitJob".
            streams: streaming methods, spelled alike.
        """
        classes = tuple(priority_classes)
        self.registry = CollectorRegistry(auto_describe=True)
        self.rpc = RpcSeries(self.registry, rpcs=tuple(rpcs), streams=tuple(streams))
        self.store = StoreSeries(self.registry)
        self.control = ControlSeries(self.registry)
        self.plan = PlanSeries(self.registry, classes)
        self.shadow = ShadowSeries(self.registry)
        self.lifecycle = LifecycleSeries(self.registry, classes)
        self.state = StateSeries(classes)
        self.registry.register(self.state)
        ProcessCollector(namespace="placewright", registry=self.registry)

    def observe_state(self, state: State, now_ms: int) -> Iterator[None]:
        """Bring every gauge that follows from the state up to date.

        To be called about once a second and iterated; it yields every few milliseconds.
        """
        self.lifecycle.start_pools_at_zero(state)
        return self.state.observe_in_slices(state, now_ms)
