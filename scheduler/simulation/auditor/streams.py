"""Whether a process is told of every commit, once and in order, from where its mirror began."""

from collections.abc import Callable, Mapping, Sequence

from scheduler.model.ids import Revision
from scheduler.model.state import State
from scheduler.model.transaction import Commit


class StreamAuditor:
    """A listener of one process's mirror; `commits` are those that the store made."""

    def __init__(
        self,
        name: str,
        state: State,
        commits: Mapping[Revision, Commit],
        violated: Callable[[str], object],
    ) -> None:
        self._name, self._commits, self._violated = name, commits, violated
        self._seen = state.revision

    def committed(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            if commit.revision != self._seen + 1:
                self._violated(f"{self._name} was told of commit {commit.revision} after {self._seen}")
            if commit != self._commits.get(commit.revision):
                self._violated(f"{self._name} was told of another commit {commit.revision} than was made")
            self._seen = commit.revision

    def reloaded(self, state: State) -> None:
        """A load may be as old as any state of this history that it has not seen."""
        if state.revision < self._seen:
            self._violated(f"{self._name} went from revision {self._seen} back to {state.revision}")
        self._seen = state.revision
