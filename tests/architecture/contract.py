"""The wire contract as its generated stubs describe it."""

import importlib
import pkgutil
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor

import placewright.v1


def files() -> list[FileDescriptor]:
    """Every proto file of placewright.v1."""
    modules = (m.name for m in pkgutil.iter_modules(placewright.v1.__path__) if m.name.endswith("_pb2"))
    return [importlib.import_module(f"placewright.v1.{name}").DESCRIPTOR for name in sorted(modules)]


def rpcs() -> set[str]:
    """Every RPC as "Service/Method"."""
    services = (service for file in files() for service in file.services_by_name.values())
    return {f"{service.name}/{method.name}" for service in services for method in service.methods}


def fields() -> Iterator[FieldDescriptor]:
    """Every field of every message, nested ones too."""
    for message in _messages():
        yield from message.fields


def enums() -> Iterator[EnumDescriptor]:
    """Every enum, nested ones too."""
    for file in files():
        yield from file.enum_types_by_name.values()
    for message in _messages():
        yield from message.enum_types


def _messages() -> Iterator[Descriptor]:
    waiting = [message for file in files() for message in file.message_types_by_name.values()]
    while waiting:
        message = waiting.pop()
        yield message
        waiting += message.nested_types
