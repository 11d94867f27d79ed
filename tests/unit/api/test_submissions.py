"""Specs that are kept as decoded: what comes again means the same, whoever sent it first."""

import pytest

from scheduler.api.encode_job import encode_spec
from scheduler.api.submissions import Submissions
from scheduler.model.errors import InvalidRequest
from tests.unit.api.conftest import VOCABULARY, a_submission


def test_a_spec_that_comes_again_has_its_own_name_and_request() -> None:
    submissions = Submissions(VOCABULARY)
    submissions.decode(a_submission(name="first", queue="one"), prefix="")
    message = a_submission(name="second", queue="one")
    message.request_id = "another"
    before = message.SerializeToString(deterministic=True)

    again = submissions.decode(message, prefix="")

    fresh = Submissions(VOCABULARY).decode(message, prefix="")
    assert again == fresh
    assert (again.submission.spec.name, again.submission.request_id) == ("second", "another")
    assert message.SerializeToString(deterministic=True) == before


def test_specs_that_differ_in_anything_but_the_name_are_told_apart() -> None:
    submissions = Submissions(VOCABULARY)
    queues = [
        submissions.decode(a_submission(queue=queue), prefix="").submission.spec.queue
        for queue in ("one", "two", "one")
    ]
    assert queues == ["one", "two", "one"]


def test_the_effective_spec_is_the_decoded_one_but_for_its_name() -> None:
    decoded = Submissions(VOCABULARY).decode(a_submission(name="first"), prefix="")
    expected = encode_spec(decoded.submission.spec)
    expected.ClearField("name")
    assert decoded.effective_spec == expected


@pytest.mark.parametrize("name", ["", "Bad Name"])
def test_a_bad_name_of_a_known_spec_is_refused(name: str) -> None:
    submissions = Submissions(VOCABULARY)
    submissions.decode(a_submission(name="good"), prefix="")
    with pytest.raises(InvalidRequest, match=r"submission\.spec\.name"):
        submissions.decode(a_submission(name=name), prefix="submission.")


def test_a_refused_spec_is_refused_again() -> None:
    submissions = Submissions(VOCABULARY)
    for _ in range(2):
        with pytest.raises(InvalidRequest, match=r"spec\.priority_class"):
            submissions.decode(a_submission(priority_class="none-such"), prefix="")


def test_a_known_spec_with_a_field_of_a_newer_version_is_refused() -> None:
    submissions, message = Submissions(VOCABULARY), a_submission()
    submissions.decode(message, prefix="")
    message.spec.MergeFromString(bytes([0x98, 0x3F, 0x01]))  # field 1011, a varint
    with pytest.raises(InvalidRequest, match="does not know"):
        submissions.decode(message, prefix="")
