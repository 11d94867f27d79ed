"""Any message of a protobuf type, as a strategy made from its descriptor; and paths of its fields."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

DEPTH_MAX = 6
ITEMS_MAX = 3
UNKNOWN_FIELD = b"\xfa\x3f\x01x"  # field 1023, a string
STEP = re.compile(r"([a-z0-9_]+)(?:\[(\d+)\])?")

Words = Mapping[str, Sequence[str | int]]
"""What a field of that name may well hold, so that more than the first check is reached."""


def _integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    edges = [each for each in (low, -1, 0, 1, 2, 8, 1_000, 2**31 - 1, 2**53, high) if low <= each <= high]
    return st.sampled_from(edges) | st.integers(low, high)


SCALARS: Mapping[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=20),
    FieldDescriptor.TYPE_STRING: st.text(max_size=20)
    | st.sampled_from(["", "a", "A b", "x" * 70, "\0", "²"]),
    FieldDescriptor.TYPE_INT32: _integers(32, signed=True),
    FieldDescriptor.TYPE_INT64: _integers(64, signed=True),
    FieldDescriptor.TYPE_UINT32: _integers(32, signed=False),
    FieldDescriptor.TYPE_UINT64: _integers(64, signed=False),
}


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, words: Words, depth: int = 0) -> Message:
    """A message of that type; each field is there or not, of a oneof at most one."""
    message: Message = GetMessageClass(descriptor)()
    for field in _chosen(draw, descriptor, depth):
        _set(draw, message, field, words, depth)
    if depth == 0 and draw(st.integers(0, 19)) == 0:
        message.MergeFromString(UNKNOWN_FIELD)
    return message


@st.composite
def altered(draw: st.DrawFn, good: Message, words: Words) -> Message:
    """The message with up to two fields, at any depth, that hold something else."""
    message: Message = type(good)()
    message.CopyFrom(good)
    for _ in range(draw(st.integers(0, 2))):
        _alter(draw, message, words)
    return message


def _alter(draw: st.DrawFn, message: Message, words: Words) -> None:
    """Change one of its fields, or one of a message inside it."""
    inside = [part for field, value in message.ListFields() for part in _messages_in(field, value)]
    chosen = draw(st.sampled_from([None, *inside])) if inside else None
    if chosen is not None:
        _alter(draw, chosen, words)
    elif message.DESCRIPTOR.fields:
        field = draw(st.sampled_from(list(message.DESCRIPTOR.fields)))
        message.ClearField(field.name)
        _set(draw, message, field, words, DEPTH_MAX - 2)


def _messages_in(field: FieldDescriptor, value: Any) -> list[Message]:
    if not field.message_type or field.message_type.GetOptions().map_entry:
        return []
    return list(value) if field.is_repeated else [value]


def _chosen(draw: st.DrawFn, descriptor: Descriptor, depth: int) -> list[FieldDescriptor]:
    """Most fields, so that requests come far."""
    oneofs = [oneof for oneof in descriptor.oneofs if not _is_optional(oneof.fields)]
    single = [field for field in descriptor.fields if not any(field in oneof.fields for oneof in oneofs)]
    single += [draw(st.sampled_from(list(oneof.fields))) for oneof in oneofs]
    is_left_out = draw(st.lists(st.integers(0, 5), min_size=len(single), max_size=len(single)))
    deep = depth >= DEPTH_MAX
    return [f for f, n in zip(single, is_left_out, strict=True) if n and not (deep and f.message_type)]


def _is_optional(fields: Sequence[FieldDescriptor]) -> bool:
    return len(fields) == 1  # what proto3 makes of `optional`


def _set(draw: st.DrawFn, message: Message, field: FieldDescriptor, words: Words, depth: int) -> None:
    value: Any = getattr(message, field.name)
    if field.message_type and field.message_type.GetOptions().map_entry:
        value.update(draw(st.dictionaries(SCALARS[9], SCALARS[9], max_size=ITEMS_MAX)))
    elif field.is_repeated:
        value.extend(draw(st.lists(_values(field, words, depth), max_size=ITEMS_MAX)))
    elif field.message_type:
        value.CopyFrom(draw(_values(field, words, depth)))
        value.SetInParent()
    else:
        setattr(message, field.name, draw(_values(field, words, depth)))


def _values(field: FieldDescriptor, words: Words, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type:
        return messages(field.message_type, words, depth + 1)
    if field.enum_type:
        known = st.sampled_from([value.number for value in field.enum_type.values])
        return known | known | _integers(32, signed=True)
    anything = SCALARS[field.type]
    if field.name in words:
        known_words = st.sampled_from(list(words[field.name]))
        return known_words | known_words | known_words | anything
    return anything


def is_path_of(path: str, message: Message) -> bool:
    """Whether a violation's field names something of the message; "" is all of it, a oneof has a name."""
    here: Any = message
    for step in path.split(".") if path else ():
        matched = STEP.fullmatch(step)
        if matched is None or not isinstance(here, Message):
            return False
        name, index = matched.groups()
        if name in here.DESCRIPTOR.oneofs_by_name and index is None:
            here = None
        elif name not in here.DESCRIPTOR.fields_by_name:
            return False
        else:
            here = getattr(here, name)
            if index is not None:
                if isinstance(here, (Message, str)) or int(index) >= len(here):
                    return False
                here = here[int(index)]
    return True
