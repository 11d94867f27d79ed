"""What calls for a plan."""

from dataclasses import replace

import pytest

from scheduler.control.agenda import calls_for_plan
from scheduler.model.ids import Revision
from scheduler.model.records import Record
from tests.builders import a_session

OLD, NEW = Revision(1), Revision(2)


@pytest.mark.parametrize(
    ("is_synchronised", "is_expired", "planning_version", "calls"),
    [
        pytest.param(True, False, NEW, True, id="a_launcher_that_has_said_what_it_holds"),
        pytest.param(False, True, NEW, True, id="a_launcher_whose_lease_has_run_out"),
        pytest.param(False, False, NEW, False, id="a_launcher_that_has_just_attached"),
        pytest.param(True, False, OLD, False, id="a_renewal"),
    ],
)
def test_a_session_calls_for_a_plan(
    *, is_synchronised: bool, is_expired: bool, planning_version: Revision, calls: bool
) -> None:
    """Replicas may have been held back until it is known what a launcher holds."""
    session = replace(a_session(), is_synchronised=is_synchronised, is_expired=is_expired)

    assert calls_for_plan(Record(entity=session, version=NEW, planning_version=planning_version)) is calls
