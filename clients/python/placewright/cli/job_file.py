"""Job files: YAML whose keys are the keyword arguments of `Job`, one job per document.

    name: pretrain
    accelerators: [tpu-v5p:4x4x8, h100:64]    # any of; or {size: h100:64, speed_permille: 900}
    command: [python, train.py]
    estimated_duration: 6h
    locations: [gcp/us-east5/*, aws/*/*]
    markets: [reserved, spot]

Errors name the file and the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import yaml

from placewright.alternative import Alternative
from placewright.errors import FieldViolation, InvalidRequest
from placewright.job import Job

KEYS = tuple(field.name for field in fields(Job))
REQUIRED = ("name", "accelerators", "command")
STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\[\d+\]")
UNREADABLE_VALUE = (ValueError, LookupError, AttributeError, TypeError)  # PyYAML's, such as of 2024-99-99
ALIASES = {  # the wire's names of what a job file calls otherwise
    "alternatives": "accelerators",
    "allowed_locations": "locations",
    "allowed_pools": "pools",
    "max_replicas": "replicas",
    "user_errors": "user_error_retries",
}


@dataclass(frozen=True)
class Document:
    """One job of a file: its values and where they stand."""

    source: str
    values: Mapping[str, object]
    node: yaml.Node | None = None

    def place_of(self, field: str) -> str:
        """`file:line` of a field, as near as it can be told; empty for what does not come from a file."""
        if self.node is None:
            return ""
        node = self.node
        for step in STEP.findall(field):
            node = _inside(node, step) or node
        return f"{self.source}:{node.start_mark.line + 1}: "


def read_documents(text: str, source: str) -> list[Document]:
    """The jobs of a file.

    Raises:
        InvalidRequest: it is not YAML, or a document is not a mapping with known keys.
    """
    documents = []
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            documents.append(_checked(Document(source, _values(loader, node, source), node)))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise invalid(f"{source}:{line}", f"not YAML: {error.reason}") from None
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        raise invalid(f"{source}:{line}", f"not YAML: {error.problem}") from None
    except RecursionError:
        raise invalid(source, "is nested too deeply") from None
    if not documents:
        raise invalid(source, "has no job")
    return documents


def job_of(document: Document, flags: Mapping[str, object]) -> Job:
    """The job of a document, with flags in place of its values.

    Raises:
        InvalidRequest: each fault with its file and line.
    """
    values = {**document.values, **flags}
    missing = [key for key in REQUIRED if key not in values]
    if missing:
        names = " and ".join(f"'{key}'" for key in missing)
        raise invalid(document.source, f"{names} must be given")
    values["accelerators"] = _accelerators(values["accelerators"])
    try:
        return Job(**values)  # type: ignore[arg-type]  # Job checks every value itself
    except InvalidRequest as error:
        raise located(error, document, flags) from None


def located(error: InvalidRequest, document: Document, flags: Mapping[str, object]) -> InvalidRequest:
    """The same error with the file and line of each field that does not come from a flag."""
    found = []
    for violation in error.fields:
        key = re.split(r"[.\[]", violation.field, maxsplit=1)[0]
        place = "" if key in flags else document.place_of(violation.field)
        found.append(FieldViolation(f"{place}{violation.field}", violation.description))
    return InvalidRequest.of(found) if found else error


def invalid(field: str, description: str) -> InvalidRequest:
    return InvalidRequest.of([FieldViolation(field, description)])


def _values(loader: yaml.SafeLoader, node: yaml.Node, source: str) -> Any:
    """What the node holds; a mapping, as far as `_checked` has not looked."""
    try:
        return loader.construct_document(node)
    except UNREADABLE_VALUE as error:
        place = f"{source}:{node.start_mark.line + 1}"
        raise invalid(place, f"holds a value that is none: {error}") from None


def _checked(document: Document) -> Document:
    values: object = document.values
    if not isinstance(values, dict):
        raise invalid(document.place_of("").rstrip(": "), f"must be a mapping of {', '.join(KEYS)}")
    unknown = [str(key) for key in values if key not in KEYS]
    if unknown:
        faults = [
            FieldViolation(
                document.place_of(key) + key, f"is no field of a job; allowed are {', '.join(KEYS)}"
            )
            for key in unknown
        ]
        raise InvalidRequest.of(faults)
    return document


def _accelerators(value: object) -> object:
    """`{size: ..., speed_permille: ...}` as Alternatives; everything else as it is."""
    if isinstance(value, list):
        return [_accelerators(item) for item in value]
    if isinstance(value, dict) and set(value) <= {"size", "speed_permille"} and "size" in value:
        return Alternative(value["size"], speed_permille=value.get("speed_permille"))
    return value


def _inside(node: yaml.Node, step: str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and step.startswith("["):
        index = int(step[1:-1])
        return node.value[index] if index < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        wanted = ALIASES.get(step, step)
        for key, value in node.value:
            if key.value == wanted:
                return value if isinstance(value, (yaml.SequenceNode, yaml.MappingNode)) else key
    return None
