"""The rows of the comparison with Slurm."""

from scheduler.bench.slurm import Measured, comparison


def a_round(accepted_per_s: float) -> Measured:
    return Measured(submit_p50_ms=5.0, accepted_per_s=accepted_per_s, started_per_s=50.0, seconds=1.0)


def test_medians_of_rounds_are_compared_with_the_first_way() -> None:
    rows = comparison(
        {
            "Slurm sbatch; slurmd": [a_round(100), a_round(200), a_round(900)],
            "placewright SubmitJob; local launcher": [a_round(400), a_round(300), a_round(500)],
        }
    )

    accepted = [row for row in rows if row.metric == "accepted jobs per second"]
    assert [(row.method, row.value, row.ratio) for row in accepted] == [
        ("slurm", 200, 1.0),
        ("placewright", 400, 2.0),
    ]
    assert {row.verdict for row in rows} == {""}
