"""YAML with the line of each value, so that a fault can be pointed at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import yaml

ValuePath: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the root."""


UNREADABLE_VALUE = (ValueError, LookupError, AttributeError, TypeError)
"""What PyYAML raises for a value that is not of its tag, such as `!!int x`."""


class ExactLoader(yaml.CSafeLoader):
    """Numbers with a point stay text, so that money never becomes a float; dates stay text too."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own spelling
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":float", ":timestamp"))]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


class BadYaml(Exception):
    """The text is no YAML, or a mapping has a key twice; with the line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where."""

    value: object
    lines: Mapping[ValuePath, int]

    def line(self, path: ValuePath) -> int:
        """The line of a value, or of the nearest thing around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse_yaml(text: str) -> Document:
    """The first document of a text.

    Raises:
        BadYaml
    """
    try:
        return _parsed(ExactLoader(text))
    except yaml.reader.ReaderError as error:
        raise BadYaml(text.count("\n", 0, error.position) + 1, error.reason) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadYaml(1 if mark is None else mark.line + 1, error.problem or str(error)) from None
    except RecursionError:
        raise BadYaml(1, "it is nested too deeply, or within itself") from None


def _parsed(loader: ExactLoader) -> Document:
    try:
        node = loader.get_single_node()
        lines: dict[ValuePath, int] = {}
        if node is None:
            return Document(None, lines)
        _note_lines(node, (), lines)
        return Document(_constructed(loader, node), lines)
    finally:
        loader.dispose()


def _constructed(loader: ExactLoader, node: yaml.Node) -> object:
    try:
        return loader.construct_document(node)
    except UNREADABLE_VALUE as error:
        raise BadYaml(node.start_mark.line + 1, f"a value below is none: {error}") from None


def _note_lines(node: yaml.Node, path: ValuePath, lines: dict[ValuePath, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*path, index), lines)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            if below in lines:
                raise BadYaml(key.start_mark.line + 1, f"{key.value!r} comes twice: it must come once")
            lines[below] = key.start_mark.line + 1
            _note_lines(value, below, lines)
