"""Counts that are given as a number or as a share."""

from __future__ import annotations


def resolve(value: int | str, *, of: int, round_up: bool) -> int:
    """Turns 2 into 2, and `25%` into that share of the whole, rounded as asked; raises ValueError for other text."""
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        raise ValueError(f"{value!r} is neither a number nor a percentage")
    share = int(value[:-1]) * of
    return -(-share // 100) if round_up else share // 100
