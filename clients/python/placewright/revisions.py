"""Read your writes: the newest revision that this client wrote."""

from __future__ import annotations

import threading

TIMEOUTS_MAX = 2


class Revisions:
    """Remembers the newest revision; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = 0
        self._timed_out = 0

    @property
    def newest(self) -> int:
        """What reads pass as min_revision; 0 before the first write."""
        return self._newest

    def note(self, revision: int) -> None:
        with self._lock:
            self._newest = max(self._newest, revision)

    def note_read(self) -> None:
        """A read was answered."""
        self._timed_out = 0

    def note_timeout(self) -> None:
        """A read was not answered in time; after two in a row the revision may be why."""
        self._timed_out += 1
        if self._timed_out == TIMEOUTS_MAX:
            self.forget()

    def forget(self) -> None:
        """Start anew: the service's history may be another one, whose revisions count from 1."""
        with self._lock:
            self._newest = 0
            self._timed_out = 0
