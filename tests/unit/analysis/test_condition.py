"""Conditions: what they mean, that they always end, and that what is wrong is told with its place."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.core.analysis.condition import ConditionError, condition

HALF_AND_TWO = {"result": 1.5, "baseline": 2.0}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("result <= 1", False),
        ("result * 2 < 5", True),
        ("result <= baseline * 1.5 && !(result > 3)", True),
        ("result > 1 || result / 0 > 1", True),
        ("-result < -1", True),
        ("result - 1 == 0.5", True),
        ("isNaN(result)", False),
        ("!isInf(result) && result != baseline", True),
        ("result < 0x10", True),
        ("result > 1 ? baseline > 1 : false", True),
        ("result", None),
    ],
)
def test_what_a_condition_means(text, holds):
    if holds is None:
        with pytest.raises(ConditionError, match="neither true nor false"):
            condition(text)
    else:
        assert condition(text).holds(**HALF_AND_TWO) is holds


def test_no_number_is_neither_good_nor_bad_unless_it_is_asked_for():
    assert condition("isNaN(result)").holds(result=math.nan)
    assert condition("result < 1").holds(result=math.nan) is False
    assert condition("result >= 1").holds(result=math.nan) is False


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("1 <", 3, "unexpected text"),
        ("result < 1 || (baseline", 16, "unexpected text"),
        ("result < 1 < 2", 1, "compared again"),
        ("result < 5u", 10, "no number"),
        ("1 < 2", 0, "does not depend"),
        ("result < foo", 10, "'foo' is unknown"),
        ("size(result) < 1", 1, "'size' is unknown"),
        ("result.x < 1", 1, "only numbers"),
        ("[result].all(x, x < 1)", 1, "only numbers"),
        ("result in [1.0]", 11, "only numbers"),
        ("'a' < result", 1, "no number"),
        ("isNaN(result, 1)", 1, "one number"),
        ("(" * 300 + "result < 1" + ")" * 300, 0, "deep"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, position, message):
    with pytest.raises(ConditionError, match=message) as error:
        condition(text)
    if position:
        assert error.value.position == position
        assert f"at character {position}" in str(error.value)


NUMBERS = st.integers(0, 50).map(str) | st.floats(0, 100, allow_nan=False).map(lambda value: f"{value:.3f}")
TERMS = st.recursive(
    NUMBERS | st.sampled_from(["result", "baseline"]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=6,
)
RELATIONS = st.tuples(TERMS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), TERMS).map(" ".join)
CONDITIONS = st.recursive(
    RELATIONS,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map(lambda text: f"!({text})")
    ),
    max_leaves=4,
)
VALUES = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(CONDITIONS, VALUES, VALUES)
def test_arithmetic_is_that_of_doubles(text, result, baseline):
    if "result" not in text and "baseline" not in text:
        return
    python = text.replace("&&", " and ").replace("||", " or ").replace("!(", " not (")
    expected = eval(python, {"result": result, "baseline": baseline})
    assert condition(text).holds(result=result, baseline=baseline) is expected


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="result baseline 0123456789.+-*/<>=!&|()isNaN,'[]{}?:", max_size=40))
def test_any_text_is_either_read_or_refused(text):
    try:
        read = condition(text)
    except ConditionError:
        return
    for value in (0.0, 1.0, math.nan, math.inf):
        assert read.holds(result=value, baseline=value) in {True, False, None}
