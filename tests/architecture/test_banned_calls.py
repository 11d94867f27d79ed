"""Calls that would end reproducibility: clocks, sleeps, chance and tasks that nobody owns."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import Source, python_sources

CORE = ("scheduler/model/", "scheduler/planning/", "scheduler/ports.py")
ACTORS = ("scheduler/service/", "scheduler/control/", "scheduler/mirror/")

INSTEAD = {
    "time": "take now_ms as a value, or the Clock port",
    "datetime": "times are whole milliseconds",
    "random": "nothing here draws; a seed is a setting",
    "secrets": "take bytes from Parts.random_bytes",
    "uuid": "ids come from service.ulid",
    "asyncio.sleep": "the Clock port's sleep",
    "asyncio.create_task": "a task group that app or control.leader owns",
    "asyncio.ensure_future": "a task group that app or control.leader owns",
}
CHANCE_OF_NUMPY = ("numpy.random.", "np.random.")
SEEDED = {"numpy.random.default_rng", "np.random.default_rng"}


@pytest.mark.parametrize("source", python_sources(*CORE, *ACTORS), ids=lambda source: source.path)
def test_core_and_actors_reach_for_no_clock_and_no_chance(source: Source) -> None:
    used = [
        f"{source.at(line)} {name}: {INSTEAD[banned]}"
        for name, line in (*_imported(source), *_called(source))
        for banned in INSTEAD
        if name == banned or name.startswith(f"{banned}.")
    ]

    assert not used, "\n".join(used)


@pytest.mark.parametrize("source", python_sources(*CORE), ids=lambda source: source.path)
def test_the_core_draws_only_from_a_seed(source: Source) -> None:
    unseeded = [
        f"{source.at(call.lineno)} {ast.unparse(call.func)}"
        for call in _calls(source)
        if (name := ast.unparse(call.func)).startswith(CHANCE_OF_NUMPY) and not (name in SEEDED and call.args)
    ]

    assert not unseeded, "\n".join(unseeded)


def _imported(source: Source) -> Iterator[tuple[str, int]]:
    for node in ast.walk(source.tree()):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{name.name}", node.lineno) for name in node.names)


def _called(source: Source) -> Iterator[tuple[str, int]]:
    return ((ast.unparse(call.func), call.lineno) for call in _calls(source))


def _calls(source: Source) -> Iterator[ast.Call]:
    return (node for node in ast.walk(source.tree()) if isinstance(node, ast.Call))
