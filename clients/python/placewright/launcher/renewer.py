"""Renews the launcher lease: every third of it, counted from before the request is sent.

After half a lease without a renewal the session is given up for one over a new connection: a replica of the
service that does not reach its store refuses renewals while its streams look healthy, and another may answer.
"""

import grpc
import grpc.aio

from placewright.launcher.calls import LauncherCalls
from placewright.launcher.lease import Lease, now_ns
from placewright.launcher.log import log
from placewright.launcher.session import Session, SessionSlot
from placewright.launcher.tuning import Tuning
from placewright.launcher.waiting import first_of

NS_PER_S = 1_000_000_000
TRIES_PER_LEASE = 20
REFUSED = (grpc.StatusCode.ABORTED, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND)


async def renew_forever(slot: SessionSlot, lease: Lease, *, calls: LauncherCalls, tuning: Tuning) -> None:
    """Keep the lease of the newest session, also while its stream is broken."""
    while True:
        session = await slot.valid()
        if lease.renew_at_ns > now_ns():
            left_s = (lease.renew_at_ns - now_ns()) / NS_PER_S
            await first_of(session.is_superseded, timeout_s=left_s)
        elif (
            not await _renew(session, lease, calls=calls, timeout_s=tuning.call_timeout_s)
            and not session.is_superseded.is_set()
        ):
            if now_ns() >= lease.renewed_at_ns + lease.duration_ns // 2:
                session.is_over.set()
            lease_s = lease.duration_ns / NS_PER_S
            pause_s = min(tuning.retry_s_max, lease_s / TRIES_PER_LEASE) * tuning.jitter.uniform(0.5, 1.0)
            await first_of(session.is_superseded, timeout_s=pause_s)


async def _renew(session: Session, lease: Lease, *, calls: LauncherCalls, timeout_s: float) -> bool:
    """Renew once; a call that is not answered at all ends the session's stream, for a new connection."""
    sent_at_ns = now_ns()
    try:
        response = await calls.renew(session.name, timeout_s=min(timeout_s, lease.duration_ns / NS_PER_S / 4))
    except grpc.aio.AioRpcError as error:
        log.warning("renewal_failed session=%s code=%s", session.name, error.code().name)
        if error.code() in REFUSED:
            session.lose()
        elif error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            session.is_over.set()
        return False
    except OSError:
        log.exception("renewal_failed session=%s", session.name)
        return False
    duration_ns = response.lease_duration.ToNanoseconds()
    if duration_ns > 0:
        lease.renew(sent_at_ns=sent_at_ns, duration_ns=duration_ns)
    return duration_ns > 0
