"""A real Slurm on loopback, in one folder: munge, controller, nodes and REST server of its own."""

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.state.server_processes import free_ports

PROGRAMS = {
    "munged": "munge",
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "sbatch": "slurm-wlm",
    "slurmrestd": "slurmrestd",
}
"""Debian's package of each program that is needed."""

PARTITION = "bench"
NODES, CPUS_PER_NODE = 4, 16
READY_S_MAX = 60.0
CALL_S_MAX = 60.0
LOOK_S = 0.05
SUBMIT_PATH = "/slurm/v0.0.38/job/submit"
SCRIPT = "#!/bin/sh\nexec /bin/true\n"
FOR_SHORT_JOBS = "sched_interval=1,sched_min_interval=0,bf_interval=1,default_queue_depth=10000"
REST_CHECKS_OFF = "disable_user_check,disable_unshare_sysv,disable_unshare_files"  # it would refuse root


def why_not() -> str:
    """What keeps this machine from running Slurm; empty if nothing does."""
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if missing:
        return f"not installed; apt-get install {' '.join(missing)}"
    return "" if os.geteuid() == 0 else "its daemons need root"


@dataclass
class Slurm:
    """Running daemons, and the ways to submit to them."""

    folder: Path
    _connections: threading.local = field(default_factory=threading.local)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def call(self, *command: str) -> str:
        """What a command of Slurm prints.

        Raises:
            AssertionError: it failed; with its words.
        """
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=CALL_S_MAX, check=False
        )
        assert done.returncode == 0, f"{command[0]}: {done.stderr or done.stdout}"
        return done.stdout

    def sbatch(self) -> None:
        """Submit one job as people do."""
        self.call(
            "sbatch", "--parsable", "--output=/dev/null", f"--partition={PARTITION}", "--wrap=/bin/true"
        )

    def post(self) -> None:
        """Submit one job to the REST server, over a connection that stays open."""
        job = {
            "name": "bench",
            "partition": PARTITION,
            "current_working_directory": str(self.folder),
            "standard_output": "/dev/null",
            "environment": {"PATH": "/bin:/usr/bin"},
        }
        connection = self._connection()
        body = json.dumps({"job": job, "script": SCRIPT})
        connection.request("POST", SUBMIT_PATH, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == http.HTTPStatus.OK, said[:1_000]
        if answer.will_close:
            connection.close()

    def _connection(self) -> "UnixConnection":
        if not hasattr(self._connections, "it"):
            self._connections.it = UnixConnection(self.folder / "rest.sock")
        connection: UnixConnection = self._connections.it
        return connection

    def close_gate(self) -> None:
        """Accept jobs and start none."""
        self.call("scontrol", "update", f"PartitionName={PARTITION}", "State=DOWN")

    def open_gate(self) -> None:
        self.call("scontrol", "update", f"PartitionName={PARTITION}", "State=UP")

    def unfinished(self) -> int:
        return len(self.call("squeue", "--noheader", "--format=%i").splitlines())


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=CALL_S_MAX)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(CALL_S_MAX)
        self.sock.connect(str(self._path))


@contextmanager
def a_slurm(folder: Path) -> Iterator[Slurm]:
    """A Slurm whose nodes are idle; every daemon and job is ended in the end.

    Raises:
        AssertionError: a daemon did not start; with the end of its log.
    """
    folder.chmod(0o700)
    slurm = Slurm(folder)
    _configure(folder)
    with ExitStack() as stack:
        key = folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1_024))
        key.chmod(0o400)
        munge = [
            "munged", "--foreground", "--force", f"--socket={folder / 'm.sock'}", f"--key-file={key}",
            f"--pid-file={folder / 'munge.pid'}", f"--log-file={folder / 'munge.log'}",
            f"--seed-file={folder / 'munge.seed'}",
        ]  # fmt: skip
        _start(stack, munge, slurm, log="munge.out")
        _wait(lambda: (folder / "m.sock").exists(), "munged listens", folder / "munge.out")
        _start(stack, ["slurmctld", "-D", "-c", "-f", str(folder / "slurm.conf")], slurm, log="slurmctld.out")
        for node in range(1, NODES + 1):
            command = ["slurmd", "-D", "-f", str(folder / "slurm.conf"), "-N", f"n{node}"]
            _start(stack, command, slurm, log=f"slurmd-{node}.out")
        rest = [
            "slurmrestd",
            "-a",
            "rest_auth/local",
            "-s",
            "openapi/v0.0.38",
            f"unix:{folder / 'rest.sock'}",
        ]
        _start(stack, rest, slurm, log="slurmrestd.out", SLURMRESTD_SECURITY=REST_CHECKS_OFF)
        _wait(lambda: _idle_nodes(slurm) == NODES, "every node is idle", folder / "slurmctld.log")
        _wait(lambda: (folder / "rest.sock").exists(), "slurmrestd listens", folder / "slurmrestd.out")
        yield slurm


def _configure(folder: Path) -> None:
    """One machine as several nodes, tuned for many short jobs."""
    host = socket.gethostname().partition(".")[0]
    controller, *nodes = free_ports(NODES + 1)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    settings = {
        "ClusterName": "bench", "SlurmctldHost": f"{host}(127.0.0.1)", "SlurmctldPort": controller,
        "AuthType": "auth/munge", "AuthInfo": f"socket={folder / 'm.sock'}",
        "SlurmUser": "root", "SlurmdUser": "root",
        "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none", "MpiDefault": "none",
        "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_Core",
        "AccountingStorageType": "accounting_storage/none", "JobAcctGatherType": "jobacct_gather/none",
        "SlurmdParameters": "config_overrides", "ReturnToService": 2, "MaxJobCount": 100_000, "MinJobAge": 2,
        "SchedulerParameters": FOR_SHORT_JOBS,
        "StateSaveLocation": folder / "state", "SlurmdSpoolDir": folder / "spool/%n",
        "SlurmctldPidFile": folder / "slurmctld.pid", "SlurmdPidFile": folder / "slurmd-%n.pid",
        "SlurmctldLogFile": folder / "slurmctld.log", "SlurmdLogFile": folder / "slurmd-%n.log",
    }  # fmt: skip
    lines = [f"{name}={value}" for name, value in settings.items()]
    lines += [
        f"NodeName=n{number} NodeAddr=127.0.0.1 NodeHostname={host} Port={port} CPUs={CPUS_PER_NODE}"
        for number, port in enumerate(nodes, start=1)
    ]
    lines.append(f"PartitionName={PARTITION} Nodes=n[1-{NODES}] Default=YES MaxTime=INFINITE State=UP")
    (folder / "slurm.conf").write_text("\n".join(lines) + "\n")


def _start(stack: ExitStack, command: Sequence[str], slurm: Slurm, *, log: str, **variables: str) -> None:
    environment: Mapping[str, str] = {**slurm.environment, **variables}
    with (slurm.folder / log).open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip

    def end() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)


def _idle_nodes(slurm: Slurm) -> int:
    try:
        states = slurm.call("sinfo", "--noheader", "--Node", "--format=%T").split()
    except AssertionError:  # the controller does not answer yet
        return 0
    return states.count("idle")


def _wait(holds: Callable[[], bool], what: str, log: Path) -> None:
    end_s = time.monotonic() + READY_S_MAX
    while not holds():
        tail = log.read_text(errors="replace")[-2_000:] if log.exists() else ""
        assert time.monotonic() < end_s, f"Slurm is not ready: not {what}\n{tail}"
        time.sleep(LOOK_S)
