"""Looks for a class in the source of a module that was not imported: importing runs whatever stands in the module."""

import ast
import sys
from collections.abc import Iterator
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec


def find_source_problem(module_name: str, class_name: str) -> str:
    """Return what is wrong with ``class_name`` of ``module_name`` as a channel, "" if nothing is or it does not show.

    A name that the module imports or assigns, and a module without source, can only be judged by running them.
    """
    spec = _find_spec(module_name)
    if spec is None:
        return f"there is no module {module_name!r}: install it, or name its folder in PYTHONPATH"
    try:
        source = spec.loader.get_source(module_name) if isinstance(spec.loader, InspectLoader) else None
        statements = list(_statements(ast.parse(source).body)) if source is not None else None
    # RecursionError and MemoryError: brackets within brackets.
    except (ImportError, OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"the module {module_name!r} cannot be read as Python: {type(error).__name__}"
    return "" if statements is None else _problem_in(statements, module_name, class_name)


def _find_spec(module_name: str) -> ModuleSpec | None:
    """Find a module. ``importlib.util.find_spec`` would import the packages above it."""
    spec: ModuleSpec | None = None
    if module_name in sys.modules:
        return sys.modules[module_name].__spec__
    path: list[str] | None = None
    parts = module_name.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        found = (finder.find_spec(name, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
        spec = next((one for one in found if one is not None), None)
        if spec is None or (depth < len(parts) and spec.submodule_search_locations is None):
            return None
        path = spec.submodule_search_locations
    return spec


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run at import, those of ``if`` and ``try`` included."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, name, []))
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body)


def _problem_in(statements: list[ast.stmt], module_name: str, class_name: str) -> str:
    is_unknown = False
    for statement in reversed(statements):
        match statement:
            case ast.ClassDef(name=name) if name == class_name:
                inherits = bool(statement.bases or statement.keywords or statement.decorator_list)
                has_send = any("send" in _bound_names(one) for one in _statements(statement.body))
                return "" if inherits or has_send else f"{class_name!r} has no method 'send'"
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name == class_name:
                return f"{class_name!r} is not a class"
            case _:
                names = _bound_names(statement)
                is_unknown |= bool({class_name, "*", "__getattr__"} & names)
    return "" if is_unknown else f"the module {module_name!r} has no {class_name!r}"


def _bound_names(statement: ast.stmt) -> set[str]:
    """Return the names that a statement gives a value; ``*`` where an import does not say which."""
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return {name}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {alias.asname or alias.name.partition(".")[0] for alias in aliases}
        case ast.Assign() | ast.AnnAssign() | ast.For() | ast.With():
            return {
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
        case _:
            return set()
