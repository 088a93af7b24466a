"""What a pattern cannot say: counts and shares over a passage, and where they show."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import re2  # type: ignore[import-untyped]

from sentinel_workloads.scan.detect.normalise.words import ranks
from sentinel_workloads.scan.detect.passage import Passage

Found = list[tuple[int, int]]
"""Parts of the passage's text; one that is empty says that it is about the whole."""
Measure = Callable[[Passage, Mapping[str, Any]], Found | None]

_WHOLE: Found = [(0, 0)]
_WORD = re.compile(r"[a-z']+")
_HIDDEN = "\u034f\u061c\u180e\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff"
_SPLIT = re.compile(rf"[A-Za-z0-9][{_HIDDEN}\u0300-\u036f]+(?=[A-Za-z0-9])")
_HIDDEN_IN = re.compile(rf"[{_HIDDEN}]")
_SENTENCE = re.compile(r"[^.!?\n]+")
_UNSPOKEN = re2.compile(r"\b[bcdfghjklmnpqrstvwxz]{5,14}\b")
_FEWEST_WORDS = 8
_PROSE = 0.8
"""Share of known words in prose."""
_SHORT_TEXT = 60


def disguise(passage: Passage, parameters: Mapping[str, Any]) -> Found | None:
    """Counts what the normaliser took off, of these kinds."""
    counts = passage.normalised.disguises
    return _WHOLE if sum(counts.get(kind, 0) for kind in parameters["kinds"]) >= parameters["least"] else None


def split_words(passage: Passage, parameters: Mapping[str, Any]) -> Found | None:
    """Counts invisible characters between letters; accents of other languages and emoji have none there."""
    original = passage.original
    if original.isascii() or not _HIDDEN_IN.search(original):
        return None
    return _WHOLE if len(_SPLIT.findall(original)) >= parameters["least"] else None


def repeated_word(passage: Passage, parameters: Mapping[str, Any]) -> Found | None:
    """Gives the share of the most frequent word, where there are words enough."""
    words = [word for word in _WORD.findall(passage.text) if len(word) > 1]
    if len(words) < _FEWEST_WORDS:
        return None
    _, times = Counter(words).most_common(1)[0]
    return _WHOLE if times >= parameters["least"] * len(words) else None


def repeated_line(passage: Passage, parameters: Mapping[str, Any]) -> Found | None:
    """Gives the share of the most frequent sentence of at least three words."""
    if len(passage.text) < 60:
        return None
    sentences = [each.strip() for each in _SENTENCE.findall(passage.text)]
    sentences = [each for each in sentences if len(each) >= 12 and each.count(" ") >= 2]
    if len(sentences) < 5:
        return None
    _, times = Counter(sentences).most_common(1)[0]
    return _WHOLE if times >= 5 and times >= parameters["least"] * len(sentences) else None


def rare_token(passage: Passage, parameters: Mapping[str, Any]) -> Found | None:
    """Finds a token without vowels, no known word, that prose repeats."""
    tokens = Counter(found.group() for found in _UNSPOKEN.finditer(passage.text))
    rare = [token for token, times in tokens.items() if times >= parameters["least"] and token not in ranks()]
    if not rare or not _is_prose(passage.text):
        return None
    places = [(found.start(), found.end()) for found in _UNSPOKEN.finditer(passage.text) if found.group() in rare]
    return places[:8]


def stray_tokens(passage: Passage, parameters: Mapping[str, Any]) -> Found | None:
    """Finds listed tokens that stand alone in prose."""
    wanted = set(parameters["words"])
    places = [(each.start(), each.end()) for each in _WORD.finditer(passage.text) if each.group() in wanted]
    return places[:8] if len(places) >= parameters["least"] and _is_prose(passage.text) else None


def topic_shift(passage: Passage, parameters: Mapping[str, Any]) -> Found | None:
    """Finds words of every group in one short text."""
    words = _WORD.findall(passage.text[: _SHORT_TEXT * 16])
    if not _FEWEST_WORDS <= len(words) <= _SHORT_TEXT or len(passage.text) > _SHORT_TEXT * 16:
        return None
    found = set(words)
    return _WHOLE if all(found & set(group) for group in parameters["groups"]) else None


MEASURES: dict[str, Measure] = {
    "disguise": disguise,
    "split-words": split_words,
    "repeated-word": repeated_word,
    "repeated-line": repeated_line,
    "rare-token": rare_token,
    "stray-tokens": stray_tokens,
    "topic-shift": topic_shift,
}


def _is_prose(text: str) -> bool:
    words = _WORD.findall(text)
    return len(words) >= _FEWEST_WORDS and sum(word in ranks() for word in words) >= _PROSE * len(words)
