"""Size: functions, files and parameter lists that a reader can hold in mind."""

import ast

from tests.architecture.sources import functions, python_sources

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
TEST_FILE_LINES_MAX = 600
PARAMETERS_MAX = 6


def test_no_function_is_long() -> None:
    long = [
        f"{source.at(function.lineno)} {function.name}: {lines} lines"
        for source in python_sources()
        for function in functions(source)
        if (lines := _lines(function)) > FUNCTION_LINES_MAX
    ]

    assert not long, "\n".join(long)


def test_no_file_is_long() -> None:
    long = [
        f"{source.path}: {lines} lines"
        for source in python_sources()
        if (lines := source.text.count("\n"))
        > (TEST_FILE_LINES_MAX if source.path.startswith("tests/") else FILE_LINES_MAX)
    ]

    assert not long, "\n".join(long)


def test_no_function_has_many_parameters() -> None:
    many = [
        f"{source.at(function.lineno)} {function.name}: {count} parameters"
        for source in python_sources()
        for function in functions(source)
        if (count := _parameters(function)) > PARAMETERS_MAX and not _is_command(function)
    ]

    assert not many, "\n".join(many)


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    first = function.body[0].lineno if _is_command(function) else function.lineno
    return function.end_lineno - first + 1


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def _is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A command of a command line: its parameters are its options, each with its help text."""
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr == "command"
        for decorator in function.decorator_list
    )
