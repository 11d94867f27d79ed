"""The wire contract: integers decide, and an enum's zero says nothing."""

from google.protobuf.descriptor import FieldDescriptor

from tests.architecture import contract
from tests.architecture.sources import ROOT

FLOATS = {FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE}


def test_every_proto_file_has_its_stubs() -> None:
    written = {
        path.relative_to(ROOT / "proto").as_posix() for path in ROOT.glob("proto/placewright/v1/*.proto")
    }

    assert {file.name for file in contract.files()} == written


def test_no_field_is_a_float() -> None:
    assert not [field.full_name for field in contract.fields() if field.type in FLOATS]


def test_every_enum_starts_with_unspecified() -> None:
    zeros = {enum.full_name: enum.values_by_number[0].name for enum in contract.enums()}

    assert zeros
    assert not {enum: zero for enum, zero in zeros.items() if not zero.endswith("_UNSPECIFIED")}
