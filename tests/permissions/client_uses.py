"""Where the functions' clients go: into the classes of `gatehouse.aws`, whose calls `sources` finds, and no further."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.permissions.sources import AWS, ROOT, SPEAKS_TO

#: What may be imported of boto3 and botocore: nothing that makes a call.
_HARMLESS = {"boto3.dynamodb.types", "botocore.config", "botocore.exceptions"}

#: The classes' attribute for their client.
_ATTRIBUTE = "_client"


def stray_uses() -> list[str]:
    """Where code of the functions does anything else with a client than give it to a class: `file:line: source`."""
    found = []
    rooms = (ROOT / "lambdas", AWS.parent / "contracts", AWS.parent / "moderation", AWS)
    for path in sorted(path for room in rooms for path in room.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        uses: list[ast.stmt | ast.expr] = [*_imports(tree), *(() if _has_classes(path) else _strays(tree))]
        found += [f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}" for node in uses]
    return found


def _has_classes(path: Path) -> bool:
    return path.parent == AWS


def _imports(tree: ast.Module) -> Iterator[ast.stmt]:
    """Imports by which a call could be made other than with a client of `boto3.client`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                modules = {f"{name.name}.{name.asname or ''}" for name in names} - {"boto3."}
            case ast.ImportFrom(module=str(module)):
                modules = {module}
            case _:
                continue
        if any(name.partition(".")[0] in ("boto3", "botocore") for name in modules - _HARMLESS):
            yield node


def _strays(tree: ast.Module) -> Iterator[ast.expr]:
    """Expressions by which a client, or boto3 itself, gets to where nobody follows it.

    A client may be made, named, returned, and given to a class; names count for the whole module.
    """
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    named, makers = _carriers(tree, parents)
    for node in ast.walk(tree):
        parent = parents.get(node)
        match node:
            case ast.Name(id="boto3"):
                is_stray = not (isinstance(parent, ast.Attribute) and _is_client(parents[parent], named, makers))
            case ast.Name(id=name, ctx=ast.Load()) if name in makers:
                is_stray = not (isinstance(parent, ast.Call) and parent.func is node)
            case ast.Attribute(attr=attribute) if attribute == _ATTRIBUTE:
                is_stray = True
            case ast.expr() if _is_client(node, named, makers):
                is_stray = not (_hands_on(parent) or _takes_client(parent))
            case _:
                continue
        if is_stray and isinstance(node, ast.expr):
            yield parent if isinstance(parent, ast.expr) else node


def _carriers(tree: ast.Module, parents: Mapping[ast.AST, ast.AST]) -> tuple[set[str], set[str]]:
    """The names of variables that hold a client, and of functions that return one."""
    named: set[str] = set()
    makers: set[str] = set()
    known = -1
    while len(named) + len(makers) > known:
        known = len(named) + len(makers)
        for node in ast.walk(tree):
            if not _is_client(node, named, makers):
                continue
            match parents[node]:
                case ast.Assign(targets=[ast.Name(id=name)]):
                    named.add(name)
                case ast.Return() as statement:
                    makers.add(_function_around(statement, parents))
    return named, makers


def _is_client(node: ast.AST, named: set[str], makers: set[str]) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="boto3"), attr="client")):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in makers
        case ast.Name(id=name, ctx=ast.Load()):
            return name in named
    return False


def _hands_on(node: ast.AST | None) -> bool:
    match node:
        case ast.Return() | ast.Assign(targets=[ast.Name()]):
            return True
    return False


def _takes_client(node: ast.AST | None) -> bool:
    """Whether an expression makes an object of a class that speaks to AWS, now or later."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in SPEAKS_TO:
            return True
        case ast.Call(func=ast.Name(id="partial"), args=[ast.Name(id=name), *_]):
            return name in SPEAKS_TO
    return False


def _function_around(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> str:
    while not isinstance(node, ast.FunctionDef):
        node = parents[node]
    return node.name
