"""The service's benchmark measures what it says."""

from pathlib import Path

import msgspec
import pytest

from placewright.v1 import job_service_pb2
from scheduler.bench import messages
from scheduler.bench.load import JOB_IDS_KEPT, Load, LoadResult, percentile
from scheduler.bench.processes import cpu_s, load_process, server_process
from scheduler.bench.report import Row, write


def a_row(*, value: float, ratio: float | None, higher_is_better: bool = False) -> Row:
    return Row(
        benchmark="b7", instance="SubmitJob", metric="CPU", value=value, ratio=ratio, bound=2.0, seconds=1.0,
        higher_is_better=higher_is_better,
    )  # fmt: skip


def test_the_request_is_as_long_as_it_says_and_each_has_its_own_id() -> None:
    request = messages.submit_request()
    many = job_service_pb2.SubmitJobsRequest.FromString(messages.submit_many_request(["a" * 32, "b" * 32]))

    assert len(request) == messages.REQUEST_BYTES
    assert [one.request_id for one in many.submissions] == ["a" * 32, "b" * 32]


@pytest.mark.parametrize(("percent", "value"), [(50, 51), (99, 100), (100, 100)])
def test_percentiles(percent: int, value: float) -> None:
    assert percentile(list(range(1, 101)), percent) == value


def test_the_ratio_is_judged_if_there_is_one() -> None:
    assert a_row(value=9.0, ratio=1.9).verdict == "met"
    assert a_row(value=1.0, ratio=2.1).verdict == "MISSED"
    assert a_row(value=1.0, ratio=2.1, higher_is_better=True).verdict == "met"


def test_rows_are_written_as_a_table_and_as_json(tmp_path: Path) -> None:
    rows = [a_row(value=9.0, ratio=2.1)]

    write(rows, tmp_path, name="b7", notes=["A note."])

    assert msgspec.json.decode((tmp_path / "b7.json").read_bytes(), type=list[Row]) == rows
    text = (tmp_path / "b7.md").read_text()
    assert "A note." in text
    assert "| SubmitJob | CPU | 9 | 2.1 | <= 2 | MISSED |" in text


@pytest.mark.slow
async def test_a_load_is_carried_out_by_a_real_server_whose_cpu_rises(tmp_path: Path) -> None:
    async with server_process(tmp_path) as server, load_process(server.address) as load:
        before_s = server.cpu_s(), cpu_s(server.valkey_process_id)

        echoed = await load.run(Load(method=messages.ECHO, seconds=0.2, in_flight=4))
        submitted = await load.run(
            Load(method=messages.SUBMIT_JOBS, seconds=0.5, in_flight=1, jobs_per_call=20)
        )
        got = await load.run(
            Load(method=messages.GET_JOB, seconds=0.5, in_flight=8, rate=100, job_ids=submitted.job_ids[:10])
        )

        assert all(result.calls and not result.failed for result in (echoed, submitted, got))
        assert len(submitted.job_ids) == min(JOB_IDS_KEPT, 20 * submitted.calls)
        assert got.calls + got.not_begun == 50
        assert server.cpu_s() > before_s[0]
        assert isinstance(got, LoadResult)
