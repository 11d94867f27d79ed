"""The commands of placewright-scheduler."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler import state_command

app = typer.Typer(
    name="placewright-scheduler",
    help="placewright: one joint, explained plan over all jobs and all accelerator pools.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

EXIT_BAD_SETTINGS = 2

app.add_typer(state_command.app, name="state")


class Output(StrEnum):
    """How figures are printed."""

    TABLE = "table"
    JSON = "json"


@app.callback()
def commands() -> None:
    """placewright: one joint, explained plan over all jobs and all accelerator pools."""


Listen = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="gRPC address. [default: 127.0.0.1:7461]")
]
MetricsListen = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="/metrics, /healthz, /readyz. [default: 127.0.0.1:7462]"),
]
DataDir = Annotated[
    Path | None, typer.Option(help="State of the embedded Valkey. [default: ~/.local/state/placewright]")
]
RedisUrl = Annotated[
    str | None, typer.Option(help="Your own Redis 7+ or Valkey 8+ instead of the embedded one.")
]
SharedRedisUrl = Annotated[str | None, typer.Option(help="The Redis 7+ or Valkey 8+ of the cell; needed.")]
DurabilityMode = Annotated[
    str | None,
    typer.Option(help="What an answer promises: everysec, always or replicated. [default: always]"),
]
FleetFile = Annotated[
    Path | None, typer.Option(help="Fleet file; its pools and queues are created where they are missing.")
]
CellName = Annotated[str | None, typer.Option(help="Name of this scheduler. [default: main]")]
TokenFile = Annotated[
    Path | None, typer.Option(help="Who may call. Without it everybody may, over loopback only.")
]
TlsCertificate = Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")]
TlsKey = Annotated[Path | None, typer.Option(help="Private key, PEM.")]
Shadow = Annotated[
    bool | None,
    typer.Option("--shadow", help="Plan, explain and compare with what runs, but place nothing."),
]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error. [default: info]")]


@app.command()
def serve(
    listen: Listen = None,
    metrics_listen: MetricsListen = None,
    data_dir: DataDir = None,
    redis_url: RedisUrl = None,
    durability: DurabilityMode = None,
    fleet: FleetFile = None,
    cell: CellName = None,
    token_file: TokenFile = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    shadow: Shadow = None,
    log_level: LogLevel = None,
) -> None:
    """Run the whole service: API, planner and state, until SIGTERM or Ctrl-C.

    Several over one Redis share the work: all answer, one leads.
    Every option can also be set as PLACEWRIGHT_<OPTION>, such as PLACEWRIGHT_REDIS_URL.
    """
    _run("serve", locals())


@app.command()
def api(
    listen: Listen = None,
    metrics_listen: MetricsListen = None,
    redis_url: SharedRedisUrl = None,
    durability: DurabilityMode = None,
    cell: CellName = None,
    token_file: TokenFile = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    log_level: LogLevel = None,
) -> None:
    """Run a replica of the API alone; `control` or `serve` processes over the same Redis plan.

    Every option can also be set as PLACEWRIGHT_<OPTION>, such as PLACEWRIGHT_REDIS_URL.
    """
    _run("api", locals())


@app.command()
def control(
    metrics_listen: MetricsListen = None,
    redis_url: SharedRedisUrl = None,
    durability: DurabilityMode = None,
    fleet: FleetFile = None,
    cell: CellName = None,
    shadow: Shadow = None,
    log_level: LogLevel = None,
) -> None:
    """Lead, or stand by to lead, without an API; `api` or `serve` processes over the same Redis answer.

    Every option can also be set as PLACEWRIGHT_<OPTION>, such as PLACEWRIGHT_REDIS_URL.
    """
    _run("control", locals())


def _run(command: str, options: Mapping[str, object]) -> None:
    """Run a service process until it is told to end; bad settings end it at once."""
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # or gRPC writes to the log at each child's start

    from scheduler.app import Addresses, Share
    from scheduler.app import serve as run
    from scheduler.model.errors import PlacewrightError
    from scheduler.settings import load_settings
    from scheduler.telemetry.logs import configure_logs

    def ready(addresses: Addresses) -> None:
        does = "controls" if addresses.grpc is None else f"serves {addresses.grpc}"
        if settings.shadow:
            typer.echo("shadow: plans are made, explained and compared with what runs; nothing is placed")
        typer.echo(f"placewright {does}")
        typer.echo(f"metrics at {addresses.metrics}")

    try:
        settings = load_settings(**options)
        configure_logs(settings.log_level)
        _run_with_uvloop(run(settings, Share(command), on_ready=ready))
    except PlacewrightError as error:
        typer.echo(f"placewright-scheduler: {error}", err=True)
        raise typer.Exit(EXIT_BAD_SETTINGS) from None


@app.command()
def demo(
    fleet: Annotated[Path, typer.Option(help="Fleet file to run on.")] = Path("deploy/fleets/sample.yaml"),
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the service running afterwards, until Ctrl-C.")
    ] = False,
) -> None:
    """Show the main job: start a service and a launcher, run about 30 jobs of an AI lab, explain each.

    Everything is real: an embedded Valkey, the planner, processes on this machine. It takes a minute.
    """
    from scheduler.demo.story import tell

    raise typer.Exit(tell(fleet, keeps_running=keep))


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="b1: plans; b7: the service; b8: failure; soak: hours; slurm: beside it. [default: b1]",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="All but b1: write NAME.md, .json and .png there.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="b7: short, to see that it works.")] = False,
    force: Annotated[bool, typer.Option("--force", help="b7: even while others use the machine.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="b8: repetitions of each fault, a seed each.")] = 5,
    minutes: Annotated[float, typer.Option(min=0.5, help="soak: how long the load goes on.")] = 30.0,
    jobs: Annotated[int, typer.Option(min=1, help="Waiting jobs of the snapshot.")] = 2000,
    pools: Annotated[int, typer.Option(min=1, help="Pools of the fleet.")] = 60,
    contention: Annotated[
        list[float] | None, typer.Option(help="Demand over capacity; repeatable. [default: 1.3 2 3]")
    ] = None,
    seeds: Annotated[
        str, typer.Option(metavar="A:B", help="Seeds from A up to, not with, B; b8 and soak begin with A.")
    ] = "1:4",
    work_limit: Annotated[
        float, typer.Option(min=0.01, help="Deterministic time of one plan's solver, about seconds.")
    ] = 2.0,
) -> None:
    """Measure plans (b1), the service (b7), failure (b8), a long time (soak) and Slurm beside it (slurm).

    b1: plans against the LP bound and greedy baselines, whole and per priority class, on snapshots generated
    from the printed seeds: identical jobs merged and all jobs distinct. b7: what calls cost beside a no-op
    RPC on the same server, how long callers wait, and what grows with watchers and jobs. b8: real processes
    are killed, stalled and cut off under load; how soon jobs are placed again, and that nothing is lost.
    soak: memory and latency under a steady mixed load. slurm: accepted and started jobs beside a real Slurm.
    Exits with 1 if b8 or soak misses a bar.
    """
    chosen = names or ["b1"]
    unknown = sorted(set(chosen) - {"b1", "b7", "b8", "soak", "slurm"})
    if unknown:
        raise typer.BadParameter(f"NAME must be b1, b7, b8, soak or slurm, got {', '.join(unknown)}")
    first, last = seed_range(seeds)
    if "b7" in chosen:
        from scheduler.bench.service import run as run_service

        run_service(out=out, quick=quick, force=force)
    if "slurm" in chosen:
        from scheduler.bench.slurm import run as run_slurm

        run_slurm(out=out)
    judged = []
    if "b8" in chosen:
        from scheduler.bench.failure import run as run_failure

        judged += run_failure(repeats=repeats, first_seed=first, out=out)
    if "soak" in chosen:
        from scheduler.bench.soak import run as run_soak

        judged += run_soak(minutes=minutes, seed=first, out=out)
    if "b1" in chosen:
        _bench_plans(jobs, pools, contention, range(first, last), work_limit)
    if any(row.verdict == "MISSED" for row in judged):
        raise typer.Exit(1)


def _bench_plans(
    jobs: int, pools: int, contention: list[float] | None, seeds: range, work_limit: float
) -> None:
    from scheduler.bench.snapshot_quality import run
    from scheduler.model.plan import WorkLimits

    run(
        sizes=((jobs, pools),),
        contentions=contention or (1.3, 2.0, 3.0),
        seeds=seeds,
        limits=WorkLimits(deterministic_time=work_limit),
    )


@app.command()
def simulate(
    seeds: Annotated[
        str, typer.Option(metavar="A:B", help="Seeds from A up to, not with, B; or one.")
    ] = "0:20",
    faults: Annotated[
        bool, typer.Option(help="Crashes, lost and doubled messages, outages, stalled leaders, lease expiry.")
    ] = True,
    hours: Annotated[
        int | None,
        typer.Option(min=1, help="Virtual hours that each world is busy. [default: as the seed says]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worlds at once, each in a process; all cores by default.")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Write what happens in virtual time to this file.")] = None,
    trace: Annotated[
        Path | None,
        typer.Option(help="Replay the jobs of this file without faults and tell what came of it."),
    ] = None,
    fleet: Annotated[Path, typer.Option(help="With --trace: the fleet file.")] = Path(
        "deploy/fleets/sample.yaml"
    ),
    jobs: Annotated[
        int | None, typer.Option(min=1, help="With --trace: only the first so many jobs.")
    ] = None,
    improve: Annotated[
        bool, typer.Option("--improve", help="With --trace: solve plans, not only the floor.")
    ] = False,
    output: Annotated[Output, typer.Option("-o", help="With --trace: table or json.")] = Output.TABLE,
    out: Annotated[Path | None, typer.Option(help="With --trace: plots into this directory.")] = None,
) -> None:
    """Run the real service, control and planning in virtual time, with an auditor that checks the promises.

    Ends with one line; a violation is printed with its seed, which replays it exactly, and exits with 1.
    """
    if trace is not None:
        options = {"jobs_max": jobs, "improves": improve, "as_json": output is Output.JSON, "out": out}
        _replay(trace, fleet, options)
        return
    from scheduler.simulation.command import BadSeeds, run
    from scheduler.simulation.worlds import Kind

    kind = Kind(with_faults=faults, hours=hours)
    try:
        outcome = run(seeds, kind, workers=workers or os.cpu_count() or 1, log=log)
    except BadSeeds as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(outcome.text)
    raise typer.Exit(outcome.exit_code)


def _replay(trace: Path, fleet: Path, options: Mapping[str, Any]) -> None:
    from scheduler.model.errors import PlacewrightError
    from scheduler.simulation.replay.command import ReplayOptions, replayed

    try:
        typer.echo(replayed(ReplayOptions(trace=trace, fleet=fleet, **options)))
    except PlacewrightError as error:
        typer.echo(f"placewright-scheduler: {error}", err=True)
        raise typer.Exit(EXIT_BAD_SETTINGS) from None


def seed_range(text: str) -> tuple[int, int]:
    """The numbers of A:B."""
    first, colon, last = text.partition(":")
    if not (colon and first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise typer.BadParameter(f"seeds must be A:B with A below B, got {text!r}")
    return int(first), int(last)


def _run_with_uvloop(main: object) -> None:
    import asyncio
    from collections.abc import Coroutine

    import uvloop

    assert isinstance(main, Coroutine)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def main() -> None:
    app(prog_name="placewright-scheduler")


if __name__ == "__main__":
    main()
