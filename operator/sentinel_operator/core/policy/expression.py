"""Expressions of policies: CEL as celpy and the API server read it, over names that are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sentinel_operator.core.policy.values import NAMES

_MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_MOST_MACROS = 2
"""Nested; a list of a plan has at most 32 items, and an expression must end soon."""


class ExpressionError(ValueError):
    """An expression that cannot be used."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that has been read. `holds` never raises."""

    text: str
    names: frozenset[str]
    """Of the names of facts, those that it mentions."""
    _tree: Any

    def holds(self, activation: Any) -> bool | None:
        """Tells whether it is true of the values; None where it has no answer, or one that is no truth value."""
        from celpy.evaluation import CELEvalError, Evaluator  # noqa: PLC0415

        value: Any
        try:
            value = Evaluator(self._tree, activation).evaluate()
        except (CELEvalError, ArithmeticError, TypeError, ValueError, KeyError, RecursionError):
            return None
        return bool(value) if isinstance(value, bool) or type(value).__name__ == "BoolType" else None


@lru_cache(maxsize=1024)
def expression(text: str) -> Expression:
    """Reads an expression; raises ExpressionError that tells what is wrong."""
    import celpy  # noqa: PLC0415 - costs memory that only users of expressions should pay
    from celpy.celparser import CELParseError  # noqa: PLC0415

    environment = celpy.Environment()
    try:
        tree = environment.compile(text)
    except CELParseError as error:
        raise ExpressionError(f"is no CEL: unexpected text at character {int(error.column or 1)}") from None
    except RecursionError:
        raise ExpressionError("is nested too deeply") from None
    names = frozenset(_names(tree, frozenset(), 0))
    unknown = names - NAMES
    if unknown:
        known = ", ".join(sorted(NAMES))
        raise ExpressionError(f"{', '.join(sorted(unknown))} is unknown: there are {known}")
    if not names:
        raise ExpressionError(f"depends on nothing: there are {', '.join(sorted(NAMES))}")
    return Expression(text, names, tree)


def _names(node: Any, bound: frozenset[str], macros: int) -> Iterator[str]:
    """Yields the free names; what a macro binds is its own."""
    if not hasattr(node, "children"):
        return
    children = node.children
    if node.data == "ident":
        name = str(children[0])
        if name not in bound:
            yield name
        return
    if node.data == "member_dot_arg" and len(children) == 3 and str(children[1]) in _MACROS:
        if macros == _MOST_MACROS:
            raise ExpressionError(f"nests more than {_MOST_MACROS} of all, exists, map and filter")
        yield from _names(children[0], bound, macros)
        variable = next(iter(_names(children[2].children[0], frozenset(), 0)), "")
        for each in children[2].children[1:]:
            yield from _names(each, bound | {variable}, macros + 1)
        return
    if node.data == "ident_arg" and str(children[0]) not in _FUNCTIONS:
        raise ExpressionError(f"there is no function {children[0]}")
    for each in children:
        yield from _names(each, bound, macros)


_FUNCTIONS = frozenset(
    {"has", "size", "int", "uint", "double", "string", "bool", "type", "dyn", "matches", "duration", "timestamp"}
)
