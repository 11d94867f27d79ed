"""The background comparison: a mirror against a full load of the store, at one revision."""

from collections.abc import Iterator, Sequence

import structlog

from scheduler.mirror.mirror import Mirror
from scheduler.model.errors import NotCaughtUp, StoreUnavailable
from scheduler.model.records import UNMIRRORED, Key, Kind, key_of
from scheduler.model.state import State
from scheduler.model.transaction import Commit
from scheduler.ports import Clock, StateStore
from scheduler.telemetry.store_series import ComparisonResult, StoreSeries

log = structlog.get_logger()

RECORDS_PER_SLICE = 500  # about a millisecond of the event loop
KEYS_LOGGED_MAX = 20


class Comparison:
    """Loads the store now and then, and takes the loaded state over where the mirror differs from it."""

    def __init__(
        self, store: StateStore, mirror: Mirror, clock: Clock, series: StoreSeries, *, every_ms: int
    ) -> None:
        self._store, self._mirror, self._clock, self._series = store, mirror, clock, series
        self._every_ms = every_ms

    async def run(self) -> None:
        """Compare again and again, until cancelled."""
        while True:
            await self._clock.sleep(self._every_ms)
            try:
                await self.compare()
            except (StoreUnavailable, NotCaughtUp) as error:
                self._record(ComparisonResult.BROKEN_OFF)
                log.info("mirror_comparison_broken_off", error=str(error))

    async def compare(self) -> list[Key]:
        """Keys whose records differ. The mirror is then the loaded state; none differ when it was broken off.

        Raises:
            StoreUnavailable, NotCaughtUp
        """
        twin = _Twin(self._mirror, self._clock)
        self._mirror.add_listener(twin)
        try:
            twin.begin(await self._store.load())
            if not await twin.level():
                self._record(ComparisonResult.BROKEN_OFF)
                return []
            differing = await twin.differing()
            if twin.is_stale:
                self._record(ComparisonResult.BROKEN_OFF)
                return []
        finally:
            self._mirror.remove_listener(twin)
        self._record(ComparisonResult.DIFFERENT if differing else ComparisonResult.EQUAL)
        if differing:
            self._repair(twin.state, differing)
        return differing

    def _record(self, result: ComparisonResult) -> None:
        self._series.record_comparison(result)

    def _repair(self, loaded: State, differing: Sequence[Key]) -> None:
        self._series.record_differences(len(differing))
        log.error(
            "mirror_differs",
            revision=loaded.revision,
            differences=len(differing),
            keys=[f"{key.kind}/{key.id}" for key in differing[:KEYS_LOGGED_MAX]],
        )
        self._mirror.start_over(loaded)


class _Twin:
    """A loaded state that follows the same commits as the mirror, so that both are at one revision.

    Attributes:
        is_stale: the mirror has started over meanwhile.
    """

    def __init__(self, mirror: Mirror, clock: Clock) -> None:
        self._mirror, self._clock = mirror, clock
        self._early: list[Commit] = []
        self._state: State | None = None
        self.is_stale = False

    @property
    def state(self) -> State:
        assert self._state is not None, "begin comes first"
        return self._state

    def begin(self, loaded: State) -> None:
        for commit in self._early:
            loaded.apply(commit)
        self._early.clear()
        self._state = loaded

    async def level(self) -> bool:
        """Wait until the mirror has seen all that was loaded; whether the two can be compared."""
        if self.state.history != self._mirror.state.history:
            return False
        await self._mirror.caught_up(self.state.revision)
        return not self.is_stale

    async def differing(self) -> list[Key]:
        """Keys of records that are not the same on both sides, in slices between which both move on."""
        found = []
        for number, key in enumerate(self._keys()):
            if self.is_stale:
                break
            if self._mirror.state.record(key) != self.state.record(key):
                found.append(key)
            if number % RECORDS_PER_SLICE == RECORDS_PER_SLICE - 1:
                await self._clock.sleep(0)
        return found

    def _keys(self) -> Iterator[Key]:
        """Keys of either side as each kind is begun; a record that comes later comes to both."""
        for kind in Kind:
            if kind not in UNMIRRORED:
                here, loaded = self._mirror.state, self.state
                yield from (key_of(record.entity) for record in here.records(kind))
                missing = (key_of(record.entity) for record in loaded.records(kind))
                yield from (key for key in missing if here.record(key) is None)

    def committed(self, commits: Sequence[Commit]) -> None:
        if self._state is None:
            self._early.extend(commits)
            return
        for commit in commits:
            self._state.apply(commit)

    def reloaded(self, _state: State) -> None:
        self.is_stale = True
