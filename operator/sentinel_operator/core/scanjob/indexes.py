"""Sets of indexes as a Job writes them: `1,3-5`."""

from __future__ import annotations


def count(text: str) -> int:
    """Counts the indexes; what is written otherwise counts nothing."""
    total = 0
    for part in text.split(",") if text else ():
        first, dash, last = part.strip().partition("-")
        if first.isdecimal() and (not dash or last.isdecimal()):
            total += max(0, int(last) - int(first) + 1) if dash else 1
    return total
