"""Conditions over a measurement: the arithmetic part of CEL, which always ends and always has an answer.

celpy reads and evaluates the text. Only what is listed here is let through, so that nothing can loop, allocate or look
around; every number is a double, as a measurement is. celpy is loaded with the first condition (13 MiB).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

RESULT, BASELINE = "result", "baseline"
_NAMES = frozenset({RESULT, BASELINE})
_FUNCTIONS = frozenset({"isNaN", "isInf"})
_RELATIONS = frozenset(f"relation_{name}" for name in ("lt", "le", "gt", "ge", "eq", "ne"))
_NODES = _RELATIONS | {
    *("expr", "conditionalor", "conditionaland", "relation", "addition", "addition_add", "addition_sub"),
    *("multiplication", "multiplication_mul", "multiplication_div", "unary", "unary_not", "unary_neg"),
    *("member", "primary", "paren_expr", "literal", "ident", "ident_arg", "exprlist"),
}
_DEPTH = 200


class ConditionError(ValueError):
    """A condition that cannot be used, and the place in it."""

    def __init__(self, message: str, *, position: int = 0) -> None:
        super().__init__(f"{message} at character {position}" if position else message)
        self.position = position


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that has been read. `holds` never raises."""

    text: str
    names: frozenset[str]
    """Of result, baseline, isNaN and isInf, those that it mentions."""
    _program: Any

    def holds(self, *, result: float, baseline: float = math.nan) -> bool | None:
        """Tells whether it holds; None where it has no answer (it divides by zero, or is no truth value)."""
        celtypes, eval_error = _evaluation()
        try:
            value = self._program.evaluate({RESULT: celtypes(result), BASELINE: celtypes(baseline)})
        except (eval_error, ArithmeticError, TypeError, ValueError, RecursionError):
            return None
        return bool(value) if isinstance(value, bool) or type(value).__name__ == "BoolType" else None


@lru_cache(maxsize=512)
def condition(text: str) -> Condition:
    """Reads a condition; raises ConditionError that tells what is wrong and where."""
    import celpy  # noqa: PLC0415 - costs memory that only users of conditions should pay
    from celpy.celparser import CELParseError  # noqa: PLC0415

    environment = celpy.Environment()
    try:
        tree = environment.compile(text)
    except CELParseError as error:
        raise ConditionError(f"{text!r} is no condition: unexpected text", position=int(error.column or 1)) from None
    except RecursionError:
        raise ConditionError("is nested too deeply") from None
    names = frozenset(_checked(tree, text))
    if not names & _NAMES:
        raise ConditionError(f"{text!r} does not depend on result or baseline")
    functions: Mapping[str, Callable[..., Any]] = {
        "isNaN": lambda value: celpy.celtypes.BoolType(math.isnan(value)),
        "isInf": lambda value: celpy.celtypes.BoolType(math.isinf(value)),
    }
    found = Condition(text, names, environment.program(tree, functions=dict(functions)))
    if all(found.holds(result=probe, baseline=probe) is None for probe in (0.5, 2.0, math.nan)):
        raise ConditionError(f"{text!r} is neither true nor false")
    return found


@lru_cache(maxsize=1)
def _evaluation() -> tuple[Callable[[float], Any], type[Exception]]:
    import celpy  # noqa: PLC0415
    from celpy.evaluation import CELEvalError  # noqa: PLC0415

    return celpy.celtypes.DoubleType, CELEvalError


def _checked(tree: Any, text: str) -> Iterator[str]:
    """Yields the names in use; refuses what is not arithmetic, and makes every number a double."""
    open_nodes = [(tree, 0, 1)]
    while open_nodes:
        node, depth, near = open_nodes.pop()
        position = int(getattr(node.meta, "column", 0) or near)
        if depth > _DEPTH:
            raise ConditionError("is nested too deeply", position=position)
        _allow(node, position)
        for index, child in enumerate(node.children):
            if not hasattr(child, "children"):
                yield from _token(node, index, text)
            else:
                open_nodes.append((child, depth + 1, position))


def _allow(node: Any, position: int) -> None:
    if node.data not in _NODES:
        raise ConditionError(
            "only numbers, result, baseline, isNaN(), isInf(), + - * /, comparisons, !, &&, || and ?: are known",
            position=position,
        )
    if node.data == "relation" and len(node.children) == 2 and _is_relation(node.children[0].children[0]):
        raise ConditionError("a comparison cannot be compared again: join them with &&", position=position)
    if node.data == "ident_arg" and (len(node.children) != 2 or len(node.children[1].children) != 1):
        raise ConditionError("isNaN and isInf take one number", position=position)


def _is_relation(node: Any) -> bool:
    return bool(node.data == "relation" and len(node.children) == 2)


def _token(node: Any, index: int, text: str) -> Iterator[str]:
    token = node.children[index]
    name, column = str(token), int(token.column or 1)
    if node.data == "literal":
        if token.type == "INT_LIT":
            node.children[index] = token.update(type="FLOAT_LIT", value=_as_double(name))
        elif token.type not in {"FLOAT_LIT", "BOOL_LIT"}:
            raise ConditionError(f"{name[:20]} is no number", position=column)
        return
    known = _FUNCTIONS if node.data == "ident_arg" else _NAMES
    if name not in known:
        raise ConditionError(
            f"{name[:40]!r} is unknown in {text[:60]!r}: only {', '.join(sorted(known))}", position=column
        )
    yield name


def _as_double(digits: str) -> str:
    return f"{int(digits, 16 if 'x' in digits.lower() else 10)}.0"
