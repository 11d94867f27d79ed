"""Jobs and pools as people read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

import typer

from placewright.cli.output import print_table
from placewright.pools import PoolView
from placewright.reasons import TaskGroupPlacement, verdict_lines
from placewright.strings import duration_text, usd
from placewright.views import JobView, Replica, Run
from placewright.words import RunState

JOB_COLUMNS = ("JOB", "NAME", "QUEUE", "CLASS", "PHASE", "REPLICAS", "WHERE", "$/H", "WAITING-WHY", "AGE")
NOT_SHOWN = "not shown"
NODES_SHOWN_MAX = 16
POOL_COLUMNS = ("POOL", "ACCELERATOR", "WHERE", "MARKET", "USED", "FREE", "RUNS", "$/ACC-H", "STATE")


def print_jobs(jobs: Sequence[JobView]) -> None:
    now = datetime.now(timezone.utc)
    print_table(JOB_COLUMNS, (job_row(job, now) for job in jobs))


def print_pools(pools: Sequence[PoolView]) -> None:
    print_table(POOL_COLUMNS, (pool_row(pool) for pool in pools))


def print_job(job: JobView) -> None:
    """All there is to say about a job."""
    for line in job_lines(job, datetime.now(timezone.utc)):
        typer.echo(line)


def job_row(job: JobView, now: datetime) -> tuple[str, ...]:
    money = job.charged_usd_micros_per_hour
    return (
        job.job_id,
        job.name,
        job.spec.queue,
        job.spec.priority_class or "-",
        str(job.phase),
        replicas_text(job),
        where(job),
        usd(money) if money else _unless_left_out(job, job.counts.placed + job.counts.running),
        why(job),
        age(job.submitted_at, now),
    )


def progress_line(job: JobView) -> str:
    """A job in one line, for progress and watches."""
    if job.is_finished:
        return f"{job.job_id} {job.name}: {', '.join([str(job.phase), *endings(job)])}"
    parts = [str(job.phase), run_states(job) or f"{replicas_text(job)} running"]
    parts += [f"on {where(job)}"] if job.live_placements else []
    parts += [f"waits: {why(job)}"] if job.deferrals else []
    return f"{job.job_id} {job.name}: {', '.join(parts)}"


def replicas_text(job: JobView) -> str:
    """How many replicas run, of how many; of a finished job, how many are done."""
    shown = job.counts.done if job.is_finished else job.counts.running
    return f"{shown}/{job.desired_replicas}"


def run_states(job: JobView) -> str:
    """How many of its live runs are in each state, as far as its replicas are shown."""
    runs = (replica.run for replica in job.replicas)
    states = Counter(str(run.state) for run in runs if run is not None and run.is_live)
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def endings(job: JobView) -> list[str]:
    """Why the last runs of its replicas ended, where that was not by success."""
    runs = [replica.run for replica in job.replicas if replica.run is not None]
    return sorted({ending(run) for run in runs if run.end_reason not in (None, "succeeded", "cancelled")})


def ending(run: Run) -> str:
    """Why a run ended, with its exit code and what the launcher said."""
    code = "" if run.exit_code is None else f" with exit code {run.exit_code}"
    return f"{run.end_reason}{code}{f' ({run.message})' if run.message else ''}"


def where(job: JobView) -> str:
    """The pools of its live runs, with their number where there are more than one."""
    pools = Counter(placement.pool_id for placement in job.live_placements)
    shown = ", ".join(f"{pool} x{runs}" if runs > 1 else pool for pool, runs in sorted(pools.items()))
    return shown or _unless_left_out(job, job.counts.placed + job.counts.running)


def why(job: JobView) -> str:
    """Why its first waiting replica waits."""
    if not job.deferrals:
        return _unless_left_out(job, job.counts.waiting)
    more = f" (and {len(job.deferrals) - 1} more)" if len(job.deferrals) > 1 else ""
    return f"{job.deferrals[0]}{more}"


def _unless_left_out(job: JobView, replicas: int) -> str:
    """What stands for nothing: a dash, or that there are replicas to tell of which are not shown."""
    return NOT_SHOWN if job.replicas_left_out and replicas else "-"


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in one unit."""
    if since is None:
        return "-"
    seconds = max(0, int((now - since).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def pool_row(pool: PoolView) -> tuple[str, ...]:
    usage = pool.usage
    free = usage.accelerators - usage.accelerators_used
    believed = usage.accelerators_believed_free
    return (
        pool.pool_id,
        pool.spec.accelerator,
        pool.location,
        str(pool.spec.market),
        f"{usage.accelerators_used}/{usage.accelerators}",
        str(free) if believed is None else f"~{believed}",
        str(usage.runs),
        usd(pool.spec.price_usd_micros_per_accelerator_hour),
        pool_state(pool),
    )


def pool_state(pool: PoolView) -> str:
    """Whether it takes anything new, and what jumps and is not confirmed."""
    jumps = ", ".join(str(jump) for jump in pool.unconfirmed_jumps)
    return f"{_openness(pool)}; unconfirmed: {jumps}" if jumps else _openness(pool)


def _openness(pool: PoolView) -> str:
    if pool.deleting:
        return "deleting"
    if pool.cordon is not None:
        return "cordoned"
    state = "ready" if pool.status.ready else "no launcher"
    cordoned = len(pool.node_cordons)
    return f"{state}, {cordoned} {'node' if cordoned == 1 else 'nodes'} cordoned" if cordoned else state


def job_lines(job: JobView, now: datetime) -> Iterator[str]:
    spec = job.spec
    yield f"job       {job.job_id}"
    yield f"name      {job.name}"
    yield f"queue     {spec.queue}, class {spec.priority_class or '-'}, submitted by {job.submitter or '?'}"
    yield f"phase     {job.phase}, {age(job.submitted_at, now)} old"
    if job.hold is not None:
        yield f"hold      by {job.hold.principal} {age(job.hold.held_at, now)} ago: {job.hold.reason}"
    if job.cancel_requested_at is not None:
        why_cancelled = f": {job.cancel_reason}" if job.cancel_reason else ""
        yield f"cancel    asked for {age(job.cancel_requested_at, now)} ago{why_cancelled}"
    counts = job.counts
    yield (
        f"replicas  {job.desired_replicas} wanted: {counts.waiting} waiting, {counts.placed} placed,"
        f" {counts.running} running, {counts.done} done"
    )
    yield f"kind      {spec.kind}, any of: {', '.join(str(alternative) for alternative in spec.alternatives)}"
    yield from _limits(job)
    yield f"retries   {retries_text(spec.user_error_retries)}"
    if job.charged_usd_micros_per_hour:
        yield f"charged   {usd(job.charged_usd_micros_per_hour)}/h"
    for replica in job.replicas:
        yield from _replica_lines(replica)
    if job.replicas_left_out:
        yield ""
        yield f"its replicas are not shown here; see: placewright job {job.job_id}"


def retries_text(user_errors: int) -> str:
    """Which ends of a replica are tried again."""
    if not user_errors:
        return "after every end that is not the job's own fault; never after a user error"
    return f"after every end that is not the job's own fault; {user_errors} x after a user error"


def _limits(job: JobView) -> Iterator[str]:
    spec = job.spec
    places = {
        "only in": spec.locations,
        "not in": spec.denied_locations,
        "only pools": spec.pools,
        "not pools": spec.denied_pools,
        "markets": spec.markets,
        "residency": spec.residency,
    }
    said = [f"{name} {', '.join(str(item) for item in items)}" for name, items in places.items() if items]
    if said:
        yield f"where     {'; '.join(said)}"
    times = {
        "estimated": spec.estimated_duration,
        "at most": spec.max_duration,
        "grace": spec.grace_period,
        "not preempted before": spec.min_runtime or None,
    }
    known = [f"{name} {duration_text(value)}" for name, value in times.items() if value is not None]
    if known:
        yield f"time      {', '.join(known)}"
    if not spec.preemptible:
        yield "preempted never"


def _replica_lines(replica: Replica) -> Iterator[str]:
    yield ""
    yield f"replica {replica.index}: {replica.state}, {replica.runs} {'run' if replica.runs == 1 else 'runs'}"
    if replica.pin is not None:
        yield f"  pinned to {replica.pin.pool_id} by {replica.pin.principal}: {replica.pin.reason}"
    if replica.deferral is not None:
        yield f"  waits: {replica.deferral} ({replica.deferral.reason})"
        for line in verdict_lines(replica.deferral):
            yield f"    {line}"
    if replica.run is not None:
        yield from _run_lines(replica.run)


def _run_lines(run: Run) -> Iterator[str]:
    state = str(run.state) if run.end_reason is None else f"{run.state}: {ending(run)}"
    if run.stop_reason is not None and run.end_reason is None:
        state += f" ({run.message or run.stop_reason})"
    yield f"  run {run.run_number}: {state}"
    if run.after_run_ids and run.state is RunState.PLACED:
        yield f"    placed for when {', '.join(run.after_run_ids)} ended"
    if run.placement is None:
        return
    yield f"    {run.placement}" if run.value is None else f"    {run.placement}; {run.value}"
    for assignment in run.placement.assignments:
        for group in assignment.task_groups:
            yield from _group_lines(group, "slice" if assignment.slice_topology else "nodes")


def _group_lines(group: TaskGroupPlacement, kind: str) -> Iterator[str]:
    """The nodes of a task group; nothing where the provider chooses them."""
    nodes = [share.node for share in group.nodes]
    if nodes:
        shown = ", ".join(nodes[:NODES_SHOWN_MAX]) + (", ..." if len(nodes) > NODES_SHOWN_MAX else "")
        tasks = "1 task" if group.tasks == 1 else f"{group.tasks} tasks"
        yield f"    {tasks} x {group.devices_per_task} accelerators, {kind} {shown}"
