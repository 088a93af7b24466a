"""Which expressions may name a signer: what people write is accepted, what could match for ever is not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.core.admission.patterns import pattern_problem

NESTED, AMBIGUOUS, BACKTRACKING = "inside of a repetition", "3 repetitions at most", "neither look-around"


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "release@example[.]com",
        r"[^@]+@example\.com",
        r".*@example\.com",
        r"https://github\.com/[^/]+/[^/]+/\.github/workflows/[^/]+@refs/tags/v[0-9]+\.[0-9]+\.[0-9]+",
        r"https://github\.com/org/.*/\.github/workflows/.*@refs/tags/v.*",
        r"https://kubernetes\.io/namespaces/(ml|ml-staging)/serviceaccounts/[-a-z0-9]+",
        "([^/]+)/([^/]+)/([^/]+)/([^/]+)/x$",
        "[^/]+(?:/[^/]+(/[^/]+(?:/[^/]+(/x))))",
        r"v\d+\.\d+\.\d+\.\d+",
        "https?://ci[.]example[.]com(:[0-9]{2,5})?/job/[0-9]+",
        "(?i:RELEASE)@example[.]com",
        "(?P<team>a|b)-[a-z]{3}(?:/[a-z]{2})+x",
    ],
)
def test_what_people_write_is_accepted(pattern):
    assert pattern_problem(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(", "is no regular expression: missing )"),
        ("a{99999999999}", "is no regular expression: the repetition number is too large"),
        ("(" * 5000, "is no regular expression"),
        ("(?=a)b", BACKTRACKING),
        ("(?<!a)b", BACKTRACKING),
        (r"(a)\1", BACKTRACKING),
        ("(?>a)b", BACKTRACKING),
        ("a*+b", BACKTRACKING),
        ("(a+)+", NESTED),
        ("(?:a|ab)*", NESTED),
        ("(a?){50}", NESTED),
        ("(?:[a-z]+[.])*example", NESTED),
        (".*.*.*.*x", AMBIGUOUS),
        ("a?" * 30 + "a" * 30, AMBIGUOUS),
        (r"(?i)[a-z]+A[a-z]+A[a-z]+A[a-z]+A", AMBIGUOUS),
        (r"\w+a\w+b\w+c\w+d", AMBIGUOUS),
        ("(a*)(a*)(a*)(a*)(a*)b", AMBIGUOUS),
        ("(?:.*|.*)$(?:.*|.*)()(.*|.*)x", AMBIGUOUS),
    ],
    ids=lambda case: case[:24],
)
def test_what_cannot_be_used_is_refused_with_what_to_change(pattern, problem):
    assert problem in pattern_problem(pattern)


@pytest.mark.parametrize("pattern", ["[ab]*[ab]*[ab]*c", "(?:.*a|.*b)x", "(?:a?b?c?)x", "a*?b*?a*?x"])
def test_the_worst_that_is_accepted_ends_on_the_longest_value(pattern):
    assert pattern_problem(pattern) == ""
    assert re.compile(pattern).fullmatch("ab" * 512) is None


@given(st.text(alphabet="ab.*+?()[]{}|^$\\d-1,:=<!P", max_size=24))
def test_whatever_is_written_gets_an_answer_and_what_is_accepted_compiles(pattern):
    if pattern_problem(pattern) == "":
        re.compile(pattern)
