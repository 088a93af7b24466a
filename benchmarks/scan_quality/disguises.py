"""The ways in which an attack is dressed up so that a search for its words does not find them."""

from __future__ import annotations

import base64
from collections.abc import Callable

_LOOKALIKES = str.maketrans("aceijopsxyACEHIKMOPTX", "асеіјорѕхуАСЕНІКМОРТХ")
_LEET = str.maketrans("aeiostAEIOST", "431057431057")


def zero_width(text: str) -> str:
    """Puts an invisible character after each one."""
    return "".join(f"{character}\u200b" for character in text)


def homoglyph(text: str) -> str:
    """Writes Cyrillic letters for the Latin ones that look the same."""
    return text.translate(_LOOKALIKES)


def full_width(text: str) -> str:
    """Writes the wide forms of East Asian typography."""
    return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)


def math_bold(text: str) -> str:
    """Writes mathematical bold letters and digits."""
    return "".join(_bold(character) for character in text)


def leetspeak(text: str) -> str:
    """Writes digits for letters."""
    return text.translate(_LEET)


def in_base64(text: str) -> str:
    """Encodes all of it."""
    return base64.b64encode(text.encode()).decode()


def _bold(character: str) -> str:
    for first, last, bold in (("A", "Z", 0x1D400), ("a", "z", 0x1D41A), ("0", "9", 0x1D7CE)):
        if first <= character <= last:
            return chr(bold + ord(character) - ord(first))
    return character


DISGUISES: dict[str, Callable[[str], str]] = {
    "zero-width": zero_width,
    "homoglyph": homoglyph,
    "full-width": full_width,
    "math-bold": math_bold,
    "leetspeak": leetspeak,
    "base64": in_base64,
}
