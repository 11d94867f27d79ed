"""The commands of `placewright`. gRPC is imported when a command runs, not for `--help`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer
from typer.core import TyperCommand

from placewright.cli import exits
from placewright.cli.brakes import brakes
from placewright.cli.cordons import cordons
from placewright.cli.explain import explain
from placewright.cli.input import text_of
from placewright.cli.options import AddressOption, OutputOption
from placewright.cli.output import Output, print_event, print_many, print_one
from placewright.cli.pins import pins
from placewright.cli.plan import plan
from placewright.cli.prices import prices
from placewright.cli.queues import queues

if TYPE_CHECKING:
    from placewright.cli.job_file import Document
    from placewright.client import Client, JobHandle
    from placewright.job import Job
    from placewright.views import JobEvent, JobView

app = typer.Typer(
    help="Submit jobs to placewright, watch them, and see why they are where they are.",
    epilog=exits.EPILOG,
    rich_markup_mode=None,  # rich would take a third of the time of --help
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)

QueueOption = Annotated[list[str], typer.Option("--queue", help="Only this queue; repeatable.")]
PhaseOption = Annotated[
    list[str], typer.Option("--phase", help="Only this phase: pending, active, succeeded, ...; repeatable.")
]
COMMAND_KEY = "placewright.command"


class SubmitCommand(TyperCommand):
    """A command whose words after `--` are the job's command."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's own Context
        if "--" in args:
            at = args.index("--")
            ctx.meta[COMMAND_KEY] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@app.callback(epilog=exits.EPILOG)
def everything(
    context: typer.Context,
    address: Annotated[
        Optional[str],  # noqa: UP045  (typer evaluates it under 3.10)
        typer.Option(
            "--address", help="host:port, or several with commas; PLACEWRIGHT_ADDRESS, then 127.0.0.1:7461."
        ),
    ] = None,
) -> None:
    """Submit jobs to placewright, watch them, and see why they are where they are."""
    context.obj = address


app.add_typer(brakes)
app.add_typer(cordons)
app.add_typer(pins)
app.add_typer(queues)
app.add_typer(prices)
app.add_typer(plan)
app.add_typer(explain)


@app.command()
def jobs(
    context: typer.Context,
    queue: QueueOption = [],  # noqa: B006  (typer copies it)
    phase: PhaseOption = [],  # noqa: B006  (typer copies it)
    name: Annotated[str, typer.Option("--name", help="Only jobs of this name.")] = "",
    output: OutputOption = Output.TABLE,
    address: AddressOption = None,
) -> None:
    """List jobs, oldest first."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.tables import print_jobs

        found = list(client.list_jobs(queue=queue, phase=phase, name=name))
        print_many(found, output, name=lambda job: job.job_id, table=print_jobs)


@app.command()
def job(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job's id.")],
    output: OutputOption = Output.TABLE,
    address: AddressOption = None,
) -> None:
    """Show a job: its replicas and runs, why they wait, where they are and why there."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.tables import print_job

        print_one(client.get_job(job_id), output, name=job_id, table=print_job)


@app.command()
def cancel(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job's id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for people.")] = "",
    request_id: Annotated[str, typer.Option("--request-id", help="To repeat a call safely.")] = "",
    output: OutputOption = Output.NAME,
    address: AddressOption = None,
) -> None:
    """Ask that a job and its runs end."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.tables import print_job

        ended = client.cancel_job(job_id, reason=reason, request_id=request_id or None)
        exits.tell(
            f"{ended.job_id} {ended.name}: cancelling"
            if not ended.is_finished
            else f"{ended.job_id}: {ended.phase}"
        )
        print_one(ended, output, name=job_id, table=print_job)


@app.command()
def pools(context: typer.Context, output: OutputOption = Output.TABLE, address: AddressOption = None) -> None:
    """List the pools: what they are, how full, at what price."""
    with exits.connected(address or context.obj) as client:
        from placewright.cli.tables import print_pools

        print_many(client.pools(), output, name=lambda pool: pool.pool_id, table=print_pools)


@app.command()
def watch(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="[ID]", help="One job, until it has finished.")] = "",
    queue: QueueOption = [],  # noqa: B006  (typer copies it)
    phase: PhaseOption = [],  # noqa: B006  (typer copies it)
    output: OutputOption = Output.TABLE,
    address: AddressOption = None,
) -> None:
    """Follow jobs as they change; with an ID, until that job has finished (exit code 1 if not by success)."""
    with exits.connected(address or context.obj) as client:
        if job_id:
            finished = follow(client.handle(job_id), output)
            raise typer.Exit(exits.OK if finished.phase == "succeeded" else exits.JOB_FAILED)
        for event in client.watch_jobs(queue=queue, phase=phase):
            show_event(event, output)


@app.command(cls=SubmitCommand, epilog=exits.EPILOG)
def submit(
    context: typer.Context,
    file: Annotated[
        Optional[str],  # noqa: UP045  (typer evaluates it under 3.10)
        typer.Argument(
            metavar="[FILE] [-- COMMAND ...]", help="YAML job file, - for stdin; flags win over it."
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The job's name.")] = "",
    accelerators: Annotated[
        list[str],
        typer.Option("--accelerators", "-a", help="h100:64, h100:4x8 or tpu-v5p:4x4x8; repeatable: any of."),
    ] = [],  # noqa: B006  (typer copies it)
    queue: Annotated[str, typer.Option("--queue", help="The team's line of jobs.")] = "",
    priority_class: Annotated[str, typer.Option("--priority-class", help="Its worth and urgency.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="training or inference.")] = "",
    replicas: Annotated[
        int, typer.Option("--replicas", help="For inference: the most that run.", show_default="1")
    ] = 0,
    estimated_duration: Annotated[str, typer.Option("--estimated-duration", help="Such as 6h.")] = "",
    max_duration: Annotated[str, typer.Option("--max-duration", help="Stop a run after this long.")] = "",
    grace_period: Annotated[str, typer.Option("--grace-period", help="Polite to hard stop.")] = "",
    retries: Annotated[int, typer.Option("--user-error-retries", help="Tries after its own faults.")] = 0,
    locations: Annotated[
        list[str], typer.Option("--location", help="Only here, such as 'gcp/us-east5/*'; repeatable.")
    ] = [],  # noqa: B006  (typer copies it)
    job_pools: Annotated[list[str], typer.Option("--pool", help="Only this pool; repeatable.")] = [],  # noqa: B006  (typer copies it)
    markets: Annotated[
        list[str], typer.Option("--market", help="Only reserved, on_demand or spot; repeatable.")
    ] = [],  # noqa: B006  (typer copies it)
    residency: Annotated[list[str], typer.Option("--residency", help="Such as eu; repeatable.")] = [],  # noqa: B006  (typer copies it)
    env: Annotated[list[str], typer.Option("--env", help="NAME=VALUE; repeatable.")] = [],  # noqa: B006  (typer copies it)
    wait: Annotated[bool, typer.Option("--wait", help="Wait; exit code 1 if it does not succeed.")] = False,
    until: Annotated[str, typer.Option("--until", help="placed, running or finished.")] = "finished",
    timeout: Annotated[str, typer.Option("--timeout", help="Wait at most so long, such as 10m.")] = "",
    request_id: Annotated[str, typer.Option("--request-id", help="To repeat a submission safely.")] = "",
    output: OutputOption = Output.NAME,
    address: AddressOption = None,
) -> None:
    """Submit the jobs of FILE, or one job from flags: submit --name x -a h100:8 -- python train.py"""
    flags: dict[str, object] = {
        "name": name,
        "accelerators": accelerators,
        "queue": queue,
        "priority_class": priority_class,
        "kind": kind,
        "replicas": replicas,
        "estimated_duration": estimated_duration,
        "max_duration": max_duration,
        "grace_period": grace_period,
        "user_error_retries": retries,
        "locations": locations,
        "pools": job_pools,
        "markets": markets,
        "residency": residency,
        "env": _environment(env),
        "command": context.meta.get(COMMAND_KEY, []),
    }
    given = {key: value for key, value in flags.items() if value}
    with exits.connected(address or context.obj) as client:
        wanted = _jobs_of(file, given)
        handles = _submit_all(client, wanted, flags=given, request_id=request_id)
        if wait:
            seen = [_wait(handle, until, timeout) for handle in handles]
        else:
            seen = [handle.job for handle in handles]
        _show_submitted(seen, output)
        if len(handles) < len(wanted):
            raise typer.Exit(exits.INVALID)
        failed = any(job.is_finished and job.phase != "succeeded" for job in seen)
        raise typer.Exit(exits.JOB_FAILED if wait and failed else exits.OK)


def follow(handle: JobHandle, output: Output) -> JobView:
    """Show a job each time it changes; the job when it has finished."""
    from placewright.cli.tables import progress_line

    for job in handle.watch():
        if output is Output.TABLE:
            typer.echo(progress_line(job))
        elif output is Output.NAME:
            typer.echo(job.job_id)
        else:
            print_event(job, output)
    return handle.job


def show_event(event: JobEvent, output: Output) -> None:
    """Show one event of a watch; what is no change of a job goes to stderr."""
    from placewright.cli.tables import progress_line

    if output in (Output.JSON, Output.YAML):
        print_event(event, output)
    elif output is Output.NAME:
        if event.job_id:
            typer.echo(event.job_id)
    elif event.job is not None:
        suffix = "" if event.kind == "changed" else f" ({event.kind})"
        typer.echo(f"{progress_line(event.job)}{suffix}")
    elif event.job_id:
        typer.echo(f"{event.job_id}: {event.kind}")
    elif event.kind == "restarted":
        exits.tell("the position was lost; starting anew")


def _environment(pairs: list[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        exits.refuse(f"--env must be NAME=VALUE, got {wrong[0]!r}")
    return dict(pair.split("=", 1) for pair in pairs)


def _jobs_of(file: str | None, flags: dict[str, object]) -> list[tuple[Document, Job]]:
    """The jobs of the file, or the one of the flags, each with where it stands."""
    from placewright.cli.job_file import Document, job_of, read_documents

    if file is None:
        documents = [Document("flags", {})]
    else:
        documents = read_documents(text_of(file), "stdin" if file == "-" else file)
    return [(document, job_of(document, flags)) for document in documents]


def _submit_all(
    client: Client, wanted: list[tuple[Document, Job]], *, flags: dict[str, object], request_id: str
) -> list[JobHandle]:
    """The accepted ones; each refused one is told. Several jobs take numbered request ids."""
    from placewright.cli.job_file import located
    from placewright.errors import InvalidRequest, PlacewrightError

    if len(wanted) == 1:
        try:
            return [client.submit(wanted[0][1], request_id=request_id or None)]
        except InvalidRequest as error:
            raise located(error, wanted[0][0], flags) from None
    ids = [f"{request_id}-{number}" for number in range(len(wanted))] if request_id else None
    results = client.submit_many([job for _, job in wanted], request_ids=ids)
    for (document, job), result in zip(wanted, results):  # noqa: B905  (as many results)
        if isinstance(result, PlacewrightError):
            exits.tell(f"{job.name} was refused:")
            if isinstance(result, InvalidRequest):
                exits.tell_error(located(result, document, flags))
            else:
                exits.tell_error(result)
    return [result for result in results if not isinstance(result, PlacewrightError)]


def _wait(handle: JobHandle, until: str, timeout: str) -> JobView:
    """Wait for a job and show on stderr how it goes."""
    from placewright.cli.tables import progress_line

    told = ""

    def tell_change(job: JobView) -> None:
        nonlocal told
        line = progress_line(job)
        if line != told:
            exits.tell(line)
        told = line

    return handle.wait(until, timeout=timeout or None, on_change=tell_change)


def _show_submitted(seen: list[JobView], output: Output) -> None:
    from placewright.cli.tables import print_jobs

    print_many(seen, output, name=lambda job: job.job_id, table=print_jobs)
