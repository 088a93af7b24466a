"""Regular expressions that a user writes and a pod evaluates: those whose matching cannot run away.

They are Python's, matched against the whole of a certificate's value, whose length the pod bounds. Backtracking is slow
where there are many ways to share a text out among repetitions; so a repetition may hold no other, and few may have a
neighbour that could take the same character. What is left out, RE2 has not either, or can be said otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from re import _constants as ops
from re import _parser
from typing import Any

MOST_AMBIGUOUS = 3
_BACKTRACKING = "may hold neither look-around nor back-references"
_NESTED = "may hold no repetition and no alternative inside of a repetition"
_AMBIGUOUS = (
    f"may hold {MOST_AMBIGUOUS} repetitions at most that take the character after them too, "
    "such as .* (write [^/]* where a '/' follows)"
)
_UNSUPPORTED = frozenset(
    {ops.ASSERT, ops.ASSERT_NOT, ops.GROUPREF, ops.GROUPREF_EXISTS, ops.ATOMIC_GROUP, ops.POSSESSIVE_REPEAT}
)
_REPEATS = frozenset({ops.MAX_REPEAT, ops.MIN_REPEAT})
_CATEGORIES = {
    ops.CATEGORY_DIGIT: r"\d",
    ops.CATEGORY_NOT_DIGIT: r"\D",
    ops.CATEGORY_SPACE: r"\s",
    ops.CATEGORY_NOT_SPACE: r"\S",
    ops.CATEGORY_WORD: r"\w",
    ops.CATEGORY_NOT_WORD: r"\W",
}

Step = tuple[Any, Any]


def pattern_problem(pattern: str) -> str:
    """Says what keeps a pattern from being used, or gives an empty string."""
    try:
        steps = tuple(_parser.parse(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}"
    if any(op in _UNSUPPORTED for op, _ in _every(steps)):
        return _BACKTRACKING
    if any(_branches(each) for body in _repeated(steps) for each in _every(body)):
        return _NESTED
    return _AMBIGUOUS if _ambiguous(steps) > MOST_AMBIGUOUS else ""


def _inside(step: Step) -> Iterator[Sequence[Step]]:
    """Gives the sequences that a step holds."""
    op, argument = step
    if op in _REPEATS:
        yield tuple(argument[2])
    elif op is ops.SUBPATTERN:
        yield tuple(argument[3])
    elif op is ops.BRANCH:
        yield from map(tuple, argument[1])


def _every(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for inner in _inside(step):
            yield from _every(inner)


def _repeated(steps: Iterable[Step]) -> Iterator[Sequence[Step]]:
    """Gives the bodies of everything that may come more than once."""
    for op, argument in _every(steps):
        if op in _REPEATS and argument[1] > 1:
            yield tuple(argument[2])


def _branches(step: Step) -> bool:
    op, argument = step
    return op is ops.BRANCH or (op in _REPEATS and argument[0] != argument[1])


def _ambiguous(steps: Sequence[Step], *, after: Sequence[Step] = ()) -> int:
    """Counts the repetitions of no fixed number whose end neither the next character nor that of the text tells."""
    count = 0
    for index, step in enumerate(steps):
        following = (*steps[index + 1 :], *after)
        count += sum(_ambiguous(inner, after=following) for inner in _inside(step))
        if step[0] in _REPEATS and step[1][0] != step[1][1]:
            count += not _ends(step, following)
    return count


def _ends(step: Step, following: Sequence[Step]) -> bool:
    """Tells whether the literal that follows a repetition cannot be part of it, in upper or lower case."""
    rest = tuple(each for each in following if each[0] is not ops.AT)
    if not rest:
        return True
    body, (after, character) = tuple(step[1][2]), _first(rest)
    if len(body) != 1 or after is not ops.LITERAL:
        return False
    cases = {chr(character), chr(character).lower(), chr(character).upper()}
    return not any(_takes(body[0], ord(case)) for case in cases if len(case) == 1)


def _first(steps: Sequence[Step]) -> Step:
    """Gives the step that comes first, whatever groups stand around it."""
    first = steps[0]
    while first[0] is ops.SUBPATTERN and first[1][3]:
        first = first[1][3][0]
    return first


def _takes(step: Step, character: int) -> bool:
    """Tells whether a step that stands for one character may be this one."""
    op, argument = step
    if op is ops.LITERAL:
        return bool(argument == character)
    if op is ops.NOT_LITERAL:
        return bool(argument != character)
    if op is ops.RANGE:
        return bool(argument[0] <= character <= argument[1])
    if op is ops.CATEGORY and argument in _CATEGORIES:
        return re.fullmatch(_CATEGORIES[argument], chr(character)) is not None
    if op is ops.IN:
        members = [member for member in argument if member[0] is not ops.NEGATE]
        return any(_takes(member, character) for member in members) != (len(members) != len(argument))
    return True
