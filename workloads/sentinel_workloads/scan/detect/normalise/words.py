"""The words that disguised text is recognised by: how usual each is, and which one a leetspeak token spells."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_STANDS_FOR = {"1": "il!|", "0": "o", "3": "e€", "4": "a@", "5": "s$", "7": "t+", "8": "b", "9": "g"}
_SKELETON = str.maketrans({each: digit for digit, others in _STANDS_FOR.items() for each in others})


@cache
def ranks() -> dict[str, int]:
    """Gives each word's place, the most usual first."""
    lines = files(__package__).joinpath("words.txt").read_text(encoding="utf-8").splitlines()
    words = (word for line in lines if not line.startswith("#") for word in line.split())
    return {word: rank for rank, word in enumerate(words)}


def skeleton(token: str) -> str:
    """Gives the token with every letter that a digit or sign can stand for as that digit."""
    return token.lower().translate(_SKELETON)


@cache
def by_skeleton() -> dict[str, str]:
    """Gives the most usual word of at least three letters for each skeleton."""
    found: dict[str, str] = {}
    for word in ranks():
        if len(word) >= 3:
            found.setdefault(skeleton(word), word)
    return found
