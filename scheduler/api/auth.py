"""Who calls, and which verbs a role may use."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from scheduler.model.errors import NotAllowed, Unauthenticated
from scheduler.model.ids import Principal

BEARER = "Bearer "


class Role(StrEnum):
    USER = "user"
    OPERATOR = "operator"
    LAUNCHER = "launcher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A caller."""

    principal: Principal
    roles: frozenset[Role]


LOCAL = Identity(principal=Principal("local"), roles=frozenset(Role))
"""Whoever calls over loopback when no tokens are set up: everything is open there."""

USERS_AND_OPERATORS = frozenset({Role.USER, Role.OPERATOR})
OPERATORS = frozenset({Role.OPERATOR})
LAUNCHERS = frozenset({Role.LAUNCHER})

VERBS: Mapping[str, frozenset[Role]] = {
    "JobService/SubmitJob": USERS_AND_OPERATORS,
    "JobService/SubmitJobs": USERS_AND_OPERATORS,
    "JobService/GetJob": USERS_AND_OPERATORS,
    "JobService/ListJobs": USERS_AND_OPERATORS,
    "JobService/CancelJob": USERS_AND_OPERATORS,
    "JobService/HoldJob": USERS_AND_OPERATORS,
    "JobService/ReleaseJob": USERS_AND_OPERATORS,
    "JobService/ExplainJob": USERS_AND_OPERATORS,
    "JobService/WatchJobs": USERS_AND_OPERATORS,
    "FleetService/ApplyPool": OPERATORS,
    "FleetService/ConfirmPool": OPERATORS,
    "FleetService/GetPool": frozenset(Role),
    "FleetService/ListPools": frozenset(Role),
    "FleetService/CordonPool": OPERATORS,
    "FleetService/UncordonPool": OPERATORS,
    "FleetService/CordonNodes": OPERATORS,
    "FleetService/UncordonNodes": OPERATORS,
    "FleetService/DeletePool": OPERATORS,
    "FleetService/FreezePlanning": OPERATORS,
    "FleetService/UnfreezePlanning": OPERATORS,
    "FleetService/ListFreezes": frozenset(Role),
    "FleetService/PinReplica": OPERATORS,
    "FleetService/UnpinReplica": OPERATORS,
    "FleetService/ForceEndRun": OPERATORS,
    "QueueService/ApplyQueue": OPERATORS,
    "QueueService/GetQueue": frozenset(Role),
    "QueueService/ListQueues": frozenset(Role),
    "QueueService/DeleteQueue": OPERATORS,
    "QueueService/ApplyCohort": OPERATORS,
    "QueueService/ListCohorts": frozenset(Role),
    "QueueService/DeleteCohort": OPERATORS,
    "QueueService/HoldQueue": OPERATORS,
    "QueueService/ReleaseQueue": OPERATORS,
    "PlannerService/GetPrices": USERS_AND_OPERATORS,
    "PlannerService/PlanJobs": USERS_AND_OPERATORS,
    "LauncherService/Attach": LAUNCHERS,
    "LauncherService/ClaimRun": LAUNCHERS,
    "LauncherService/RenewRuns": LAUNCHERS,
    "LauncherService/ReportRuns": LAUNCHERS,
}
"""Which roles may use which verb; every RPC has a row (a test)."""


class Authenticator:
    """Turns a call's metadata into an identity."""

    def __init__(self, tokens: Mapping[str, Identity] | None) -> None:
        """`tokens`: identities by the hex SHA-256 of their token; None: everybody is LOCAL."""
        self._tokens = tokens

    @property
    def needs_tokens(self) -> bool:
        """Whether callers must say who they are."""
        return self._tokens is not None

    def identity(self, authorization: str) -> Identity:
        """Who presents this authorization header.

        Raises:
            Unauthenticated
        """
        if self._tokens is None:
            return LOCAL
        if not authorization.startswith(BEARER):
            raise Unauthenticated("send the metadata authorization: Bearer <token>")
        digest = sha256(authorization.removeprefix(BEARER).encode()).hexdigest()
        for known, identity in self._tokens.items():
            if hmac.compare_digest(known, digest):
                return identity
        raise Unauthenticated("the token is not known here")


def authorise(identity: Identity, verb: str) -> None:
    """That one of the caller's roles may use the verb.

    Raises:
        NotAllowed
    """
    allowed = VERBS.get(verb, frozenset())
    if not identity.roles & allowed:
        needed = " or ".join(sorted(allowed)) or "nobody's"
        have = ", ".join(sorted(identity.roles)) or "no role"
        raise NotAllowed(f"{verb} needs the role {needed}; {identity.principal} has {have}")
