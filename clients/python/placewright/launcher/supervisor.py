"""The supervisor of one run: starts its tasks, watches, stops and buries them, and says how the run ended.

One small process per run, which outlives the launcher. It is run by path
(`python -I -S supervisor.py DIRECTORY`), so it imports only the standard library, and little of that: many
runs start at once. What to start comes on standard input and never touches the disk, because it may hold
secrets; it is marshalled, by a launcher of the same Python.

Files of the directory:

    supervisor   "<pid> <start time>", linked into place once, by the supervisor or by a launcher that wants
                 to be sure that no supervisor comes any more ("void"); only who linked it starts tasks
    running      there when every task runs
    stop         "<reason> <kill time>", written by the launcher; the newest counts
    exit         how the run ended (`exit_record`); written when surely nothing of it is left

Linux only: it needs /proc, PR_SET_CHILD_SUBREAPER and PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import signal
import sys
import time

TYPE_CHECKING = False  # `typing` takes long to import
if TYPE_CHECKING:
    from typing import Any

    Cause = tuple[str, str, str]  # succeeded, failed, stopped or interrupted; exit code or reason; message

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
WAIT_S_MAX = 5.0  # a suspended machine stops the waiting clock, not the lease
COMMAND_NOT_FOUND = 127
COMMAND_NOT_EXECUTABLE = 126
DESCRIPTORS_MAX = 65_536
NS_PER_S = 1_000_000_000

libc = ctypes.CDLL(None, use_errno=True)


def now_ns() -> int:
    """Time since boot, also through suspension."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def start_time(pid: int) -> str:
    """When a process started, as /proc spells it; empty when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()


def link_identity(directory: str, identity: str) -> bool:
    """Make `identity` the content of the supervisor file, unless there is one; whether it was made."""
    temporary = f"{directory}/.supervisor.{os.getpid()}"
    with open(temporary, "w") as file:
        file.write(identity)
    try:
        os.link(temporary, f"{directory}/supervisor")
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    return True


class Supervisor:
    """One run from its start to its end record.

    Attributes:
        tasks: those whose exit is not known yet; process id to task index.
        cause: why it ends, once that is decided: the first cause counts.
        kill_at_ns: when what is left is killed.
        lease: epoch, time to begin to stop, end; as last read.
    """

    def __init__(self, directory: str, spec: dict[str, Any]) -> None:
        self.directory = directory
        self.spec = spec
        self.tasks: dict[int, int] = {}
        self.cause: Cause | None = None
        self.kill_at_ns = 0
        self.was_told_to_end = False
        self.lease = (0, 0, 0)

    def run(self) -> None:
        """Start the gang and stay until nothing of it is left and its end is on the disk."""
        self.check_orders()
        if not self.cause:
            self.start_tasks()
        while self.reap():
            self.check_orders()
            self.kill_when_due()
            self.wait()
        self.bury()
        self.write_exit(self.cause or ("succeeded", "", ""))

    # --- start ---

    def start_tasks(self) -> None:
        """Start every task, or decide why the run ends."""
        supervisor = os.getpid()
        failures, failures_of_tasks = os.pipe()
        for index, task in enumerate(self.spec["tasks"]):
            pid = os.fork()
            if pid == 0:
                self.become_task(index, task, failures=failures_of_tasks, supervisor=supervisor)
            self.tasks[pid] = index
        os.close(failures_of_tasks)
        with os.fdopen(failures, "rb") as file:
            failed = file.read()  # ends when every task has become its command or failed to
        if failed:
            self.end(marshal.loads(failed), kill_at_ns=now_ns())  # the first of them
        else:
            with open(f"{self.directory}/running", "wb"):
                pass
            self.hint()

    def become_task(self, index: int, task: dict[str, Any], *, failures: int, supervisor: int) -> None:
        """Replace this process, a fork, by the task's command. Does not return."""
        try:
            self.prepare_task(task, supervisor=supervisor)
            cause = self.execute({**self.spec["env"], **task["env"]})
            os.write(failures, marshal.dumps(cause))
        except BaseException as error:
            cause = interruption(f"task {index} could not be prepared: {error!r}")
            os.write(failures, marshal.dumps(cause))
        finally:
            os._exit(COMMAND_NOT_FOUND)

    def prepare_task(self, task: dict[str, Any], *, supervisor: int) -> None:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(COMMAND_NOT_FOUND)
        log = os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(self.spec["working_directory"])
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def execute(self, env: dict[str, str]) -> Cause:
        """Become the command; returns only why it cannot."""
        command = self.spec["command"]
        name = repr(command[0][:200])
        try:
            os.execvpe(command[0], command, env)
        except (FileNotFoundError, NotADirectoryError):
            return failure(COMMAND_NOT_FOUND, f"command not found: {name}")
        except (OSError, ValueError) as error:
            return failure(COMMAND_NOT_EXECUTABLE, f"command cannot be executed: {name}: {error}")

    # --- watch ---

    def reap(self) -> bool:
        """Take in what has exited; whether a task still runs."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return bool(self.tasks)
            index = self.tasks.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            if index is None or code == 0 or self.cause:
                continue
            code = code if code > 0 else 128 - code
            grace_ns = int(self.spec["grace_s"] * NS_PER_S)
            self.end(failure(code, f"task {index} exited with {code}"), kill_at_ns=now_ns() + grace_ns)

    def check_orders(self) -> None:
        """Obey the launcher's stop file, the lease and SIGTERM."""
        stop = read_words(f"{self.directory}/stop")
        if stop:
            self.end(("stopped", stop[0], "stopped as told"), kill_at_ns=int(stop[1]))
        if self.was_told_to_end:
            kill_at_ns = now_ns() + int(self.spec["grace_s"] * NS_PER_S)
            self.end(interruption("the run's supervisor was told to end"), kill_at_ns=kill_at_ns)
        if self.spec["lease_file"]:
            self.check_lease()

    def check_lease(self) -> None:
        """Begin to stop in time before the lease ends; a file that is gone is a lease that is not renewed."""
        epoch, fence_at_ns, ends_at_ns = map(int, read_words(self.spec["lease_file"]) or self.lease)
        self.lease = (epoch, fence_at_ns, ends_at_ns)
        has_lapsed = epoch != self.spec["lease_epoch"]
        if has_lapsed or now_ns() >= fence_at_ns:
            kill_at_ns = 0 if has_lapsed else (fence_at_ns + ends_at_ns) // 2
            self.end(interruption("stopped by its host: the launcher lease ran out"), kill_at_ns=kill_at_ns)

    def end(self, cause: Cause, *, kill_at_ns: int) -> None:
        """Stop what runs, politely until `kill_at_ns`; the first cause and the earliest time count."""
        if not self.cause:
            self.cause = cause
            self.kill_at_ns = kill_at_ns
            for pid in self.tasks:
                signal_group(pid, signal.SIGTERM)
        self.kill_at_ns = min(self.kill_at_ns, kill_at_ns)

    def kill_when_due(self) -> None:
        if self.cause and now_ns() >= self.kill_at_ns:
            for pid in self.tasks:
                signal_group(pid, signal.SIGKILL)

    def wait(self) -> None:
        """Sleep until a signal comes or a time is near."""
        due_ns = [self.kill_at_ns] if self.cause else []
        if self.spec["lease_file"]:
            due_ns.append(self.lease[1])
        left_s = min(((due - now_ns()) / NS_PER_S for due in due_ns if due > now_ns()), default=WAIT_S_MAX)
        self.take_signal(min(left_s + 0.001, WAIT_S_MAX))

    def take_signal(self, timeout_s: float) -> None:
        received = signal.sigtimedwait(SIGNALS, timeout_s)
        if received is not None and received.si_signo == signal.SIGTERM:
            self.was_told_to_end = True

    # --- end ---

    def bury(self) -> None:
        """Kill what the tasks left behind; as the subreaper this process is the parent of all of it."""
        while True:
            for pid in children():
                signal_process(pid, signal.SIGKILL)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            signal.sigtimedwait((signal.SIGCHLD,), 0.05)

    def write_exit(self, cause: Cause) -> None:
        """Put the end on the disk and tell the launcher."""
        temporary = f"{self.directory}/.exit.new"
        with open(temporary, "w", encoding="utf-8", errors="replace") as file:
            file.write("\n".join(cause))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, f"{self.directory}/exit")
        descriptor = os.open(self.directory, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        self.hint()

    def hint(self) -> None:
        """Tell the launcher, if there is one, that the run has changed; it looks by itself later anyhow."""
        try:
            descriptor = os.open(self.spec["hints_file"], os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return
        try:
            os.write(descriptor, (self.spec["run_id"] + "\n").encode())
        except OSError:
            pass
        finally:
            os.close(descriptor)


def interruption(message: str) -> Cause:
    """A cause that is nobody's fault."""
    return ("interrupted", "", message)


def failure(exit_code: int, message: str) -> Cause:
    """A cause that is the user's."""
    return ("failed", str(exit_code), message)


def exit_record(path: str) -> Cause | None:
    """How a run ended; None while it has not."""
    try:
        with open(path, encoding="utf-8") as file:
            outcome, detail, message = file.read().split("\n", 2)
    except FileNotFoundError:
        return None
    return outcome, detail, message


def read_words(path: str) -> list[str]:
    """The words of a small file; none when it is not there."""
    try:
        with open(path) as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def children() -> list[int]:
    """The children of this process, zombies too."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(word) for word in file.read().split()]


def signal_group(pid: int, number: int) -> None:
    """Signal the process group of a task; the task is not reaped yet, so the number is still its own."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        signal_process(pid, number)  # it has not made its group yet


def signal_process(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def main(directory: str) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.closerange(3, DESCRIPTORS_MAX)
    with open(0, "rb", closefd=False) as file:
        content = file.read()
    try:
        spec = marshal.loads(content)
    except (EOFError, ValueError, TypeError):
        return  # the launcher died while it wrote
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if link_identity(directory, f"{os.getpid()} {start_time(os.getpid())}"):
        Supervisor(directory, spec).run()


if __name__ == "__main__":
    main(sys.argv[1])
