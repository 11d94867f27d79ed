"""What a launcher session is, in one word."""

from enum import StrEnum

from scheduler.model.session import LauncherSession


class SessionState(StrEnum):
    LIVE = "live"
    SYNCHRONISING = "synchronising"
    EXPIRED = "expired"


def session_state(session: LauncherSession) -> SessionState:
    if session.is_expired:
        return SessionState.EXPIRED
    return SessionState.LIVE if session.is_synchronised else SessionState.SYNCHRONISING
