"""Who may do what over the network, and that no secret leaves by the back door."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import redis
import trustme

from placewright import (
    Client,
    DeadlineExceeded,
    Job,
    JobPhase,
    PermissionDenied,
    RequestIdReused,
    Unauthenticated,
    Unavailable,
)
from placewright.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from scheduler.bench.running_cell import STOP_S_MAX, WITHIN_S, Cell, a_cell, a_pool, wait_until

pytestmark = pytest.mark.slow

SECRET = "hunter2-the-secret"
EXIT_BAD_SETTINGS = 2
CALL_TIMEOUT_S = 2.0


def token_of(role: str) -> str:
    return f"the-token-of-the-{role}-which-is-long-enough"


@dataclass(frozen=True)
class Guarded:
    """A cell over TLS that wants tokens."""

    cell: Cell
    ca_file: str

    def client(self, role: str) -> Client:
        return Client(self.cell.address, token=token_of(role), tls=self.ca_file)

    def launcher_options(self, role: str) -> list[str]:
        """Where a launcher finds the token of a role."""
        token_file = self.cell.folder / f"{role}.token"
        token_file.write_text(token_of(role))
        return [f"--token-file={token_file}", f"--ca-file={self.ca_file}"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    with a_cell(folder, a_pool("own")) as cell:
        cell.options += [
            f"--token-file={write_tokens(folder)}", f"--tls-certificate={folder / 'certificate.pem'}",
            f"--tls-key={folder / 'key.pem'}", "--log-level=debug",
        ]  # fmt: skip
        cell.start_service()
        made = Guarded(cell, str(folder / "ca.pem"))
        cell.start_launcher("local", *made.launcher_options("launcher"))
        with made.client("operator") as client:
            wait_until(lambda: client.get_pool("own").status.ready, "the launcher is attached")
        yield made


def write_tokens(folder: Path, *, mode: int = 0o600) -> Path:
    roles = ("user", "operator", "launcher")
    tokens = [{"principal": f"{role}-1", "roles": [role], "token": token_of(role)} for role in roles]
    path = folder / "tokens.yaml"
    path.write_text(json.dumps({"tokens": tokens}))
    path.chmod(mode)
    return path


def a_job(script: str = "true", *, name: str = "job", **env: str) -> Job:
    return Job(name=name, accelerators="h100:1", command=["sh", "-c", script], env=env)


# --- roles ---


def test_a_user_runs_a_job_over_tls_and_is_named_as_its_submitter(guarded: Guarded) -> None:
    with guarded.client("user") as client:
        finished = client.submit(a_job()).wait(timeout=WITHIN_S)

    assert (finished.phase, finished.submitter) == (JobPhase.SUCCEEDED, "user-1")


def test_a_user_sees_pools_and_may_not_change_them(guarded: Guarded) -> None:
    with guarded.client("user") as client:
        assert [pool.pool_id for pool in client.pools()] == ["own"]
        with pytest.raises(PermissionDenied, match=r"FleetService/CordonPool needs the role operator"):
            client.cordon_pool("own", "mischief")
        with pytest.raises(PermissionDenied):
            client.force_end_run("a-run", "mischief")


def test_an_operator_changes_pools(guarded: Guarded) -> None:
    with guarded.client("operator") as client:
        cordoned = client.cordon_pool("own", "maintenance")
        uncordoned = client.uncordon_pool("own")

    assert cordoned.cordon is not None
    assert (cordoned.cordon.principal, uncordoned.cordon) == ("operator-1", None)


def test_a_launcher_sees_pools_and_may_not_see_or_submit_jobs(guarded: Guarded) -> None:
    with guarded.client("launcher") as client:
        assert [pool.pool_id for pool in client.pools()] == ["own"]
        with pytest.raises(PermissionDenied):
            client.submit(a_job())
        with pytest.raises(PermissionDenied):
            list(client.list_jobs())
        with pytest.raises(PermissionDenied):
            next(client.watch_jobs())


def test_a_users_token_opens_no_launcher_session(guarded: Guarded) -> None:
    launcher = guarded.cell.start_launcher("intruder", *guarded.launcher_options("user"))

    wait_until(lambda: "PERMISSION_DENIED" in launcher.log.read_text(), "the launcher is told no")

    assert "session_opened" not in launcher.log.read_text()
    guarded.cell.kill_launcher("intruder")


@pytest.mark.parametrize("token", ["", "not-a-token-of-this-service"], ids=["none", "unknown"])
def test_nobody_is_let_in_without_a_known_token(guarded: Guarded, token: str) -> None:
    with (
        Client(guarded.cell.address, token=token, tls=guarded.ca_file) as client,
        pytest.raises(Unauthenticated),
    ):
        client.pools()


# --- the connection ---


def test_a_client_that_does_not_know_the_authority_does_not_connect(guarded: Guarded) -> None:
    client = Client(guarded.cell.address, token=token_of("user"), tls=True, timeout_s=CALL_TIMEOUT_S)
    with client, pytest.raises((Unavailable, DeadlineExceeded)):
        client.pools()


def test_a_client_in_the_clear_gets_nothing(guarded: Guarded) -> None:
    client = Client(guarded.cell.address, token=token_of("user"), tls=False, timeout_s=CALL_TIMEOUT_S)
    with client, pytest.raises((Unavailable, DeadlineExceeded)):
        client.pools()


def refused_serve(folder: Path, *options: str) -> str:
    """What `serve` says when it refuses to start."""
    command = [sys.executable, "-m", "scheduler", "serve", f"--data-dir={folder}", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLACEWRIGHT_")}
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=STOP_S_MAX, env=environment, check=False
    )
    assert ended.returncode == EXIT_BAD_SETTINGS, ended
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_serve_refuses_other_hosts_without_tls_and_tokens(tmp_path: Path) -> None:
    said = refused_serve(tmp_path, "--listen=0.0.0.0:0")

    for word in ("0.0.0.0:0", "loopback", "tls_certificate", "tls_key", "token_file"):
        assert word in said


def test_serve_refuses_a_token_file_that_others_can_read(tmp_path: Path) -> None:
    tokens = write_tokens(tmp_path, mode=0o644)

    said = refused_serve(tmp_path, f"--token-file={tokens}")

    assert "chmod 600" in said
    assert token_of("user") not in said


# --- secrets ---


def test_what_a_job_is_given_is_in_no_log_event_or_error(guarded: Guarded) -> None:
    cell = guarded.cell
    with guarded.client("user") as client:
        failed = client.submit(a_job(f"echo {SECRET}; exit 1", SECRET=SECRET), request_id="request-secret")
        failed.wait(timeout=WITHIN_S)
        with pytest.raises(RequestIdReused) as reused:
            client.submit(a_job("true", name="other", SECRET=SECRET), request_id="request-secret")
    details = refused_submission(guarded)

    assert SECRET not in str(reused.value)
    assert SECRET not in details
    for log in (cell.service_log, cell.folder / "launcher-local.log"):
        text = log.read_text()
        assert text
        assert SECRET not in text
        assert token_of("user") not in text
        assert token_of("launcher") not in text
    assert SECRET.encode() not in stream_of(cell)


def refused_submission(guarded: Guarded) -> str:
    """What is said of a payload that cannot be accepted."""
    credentials = grpc.ssl_channel_credentials(Path(guarded.ca_file).read_bytes())
    metadata = [("authorization", f"Bearer {token_of('user')}")]
    payload = job_pb2.LaunchPayload(command=["true"], env={"NO=NAME": SECRET, "HUGE": SECRET * 10_000})
    submission = job_service_pb2.JobSubmission(
        spec=job_pb2.JobSpec(name="job"), payload=payload, request_id="request-refused"
    )
    with grpc.secure_channel(guarded.cell.address, credentials) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        with pytest.raises(grpc.RpcError) as refused:
            stub.SubmitJob(job_service_pb2.SubmitJobRequest(submission=submission), metadata=metadata)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return f"{refused.value.details()} {refused.value.trailing_metadata()}"


def stream_of(cell: Cell) -> bytes:
    """Every event that the embedded store keeps, as bytes."""
    with redis.Redis(unix_socket_path=str(cell.folder / "data/main/valkey.sock")) as store:
        events = store.xrange("pw:{main}:stream")
    assert events
    return repr(events).encode()
