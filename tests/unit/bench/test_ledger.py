"""What a ledger of starts and ends gives away."""

from pathlib import Path

from scheduler.bench.ledger import Entry, Ledger, alive_together, partly_started, started_twice


def start(run_id: str, at_ns: int, *, task: int = 0) -> Entry:
    return Entry("start", run_id, task, at_ns)


def end(run_id: str, at_ns: int) -> Entry:
    return Entry("end", run_id, 0, at_ns)


def test_what_was_noted_is_read_again_in_order(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.entries() == []

    ledger.note_start("job-0-1", tasks=2, at_ns=5)
    ledger.note_end("job-0-1", at_ns=9)

    assert ledger.entries() == [start("job-0-1", 5), start("job-0-1", 5, task=1), end("job-0-1", 9)]
    assert {entry.replica_id for entry in ledger.entries()} == {"job-0"}


def test_a_task_that_was_started_again_is_found_and_a_gang_is_not_taken_for_one() -> None:
    gang = [start("a-0-1", 1), start("a-0-1", 1, task=1)]

    assert started_twice(gang) == []
    assert started_twice([*gang, start("a-0-1", 7, task=1)]) == ["a-0-1"]


def test_two_runs_of_a_replica_may_follow_each_other_and_not_meet() -> None:
    one_after_the_other = [start("a-0-1", 1), end("a-0-1", 5), start("a-0-2", 5), start("b-0-1", 2)]

    assert alive_together(one_after_the_other) == []
    assert alive_together([start("a-0-1", 1), start("a-0-2", 4), end("a-0-1", 5)]) == ["a-0"]
    assert alive_together([start("a-0-1", 1), start("a-0-2", 4)]) == ["a-0"]  # the first never ended


def test_a_gang_of_which_only_a_part_was_started_is_found() -> None:
    entries = [start("a-0-1", 1), start("b-0-1", 1), start("b-0-1", 1, task=1)]

    assert partly_started(entries, {"a-0": 2, "b-0": 2}) == ["a-0-1"]
    assert partly_started(entries, {"a-0": 1}) == []  # nobody knows how many tasks b has
