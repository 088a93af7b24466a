"""What was signed against what lies here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_workloads.fetch.artifact import HashedFile
from sentinel_workloads.fetch.signature.comparison import difference

NAMES = st.dictionaries(st.sampled_from(["a", "b", "c/d", "e"]), st.sampled_from(["1", "2"]), min_size=1)


def files(**content: str) -> tuple[HashedFile, ...]:
    return tuple(HashedFile(path, digest) for path, digest in content.items())


@given(NAMES, NAMES)
def test_only_the_same_set_of_files_with_the_same_content_passes(signed: dict[str, str], copy: dict[str, str]) -> None:
    assert (difference(signed, files(**copy), single=False) == "") == (signed == copy)


@pytest.mark.parametrize(
    ("signed", "copy", "says"),
    [
        ({"a": "1"}, {"a": "1", "b": "2"}, "not signed: b"),
        ({"a": "1", "b": "2"}, {"a": "1"}, "missing: b"),
        ({"a": "1"}, {"a": "2"}, "changed since signed: a"),
        ({"a": "1"}, {"b": "1"}, "not signed: b; missing: a"),
        ({"a": "1"}, dict.fromkeys("abcdefg", "1"), "not signed: b, c, d and 3 more"),
    ],
)
def test_the_difference_names_the_files(signed: dict[str, str], copy: dict[str, str], says: str) -> None:
    assert difference(signed, files(**copy), single=False) == says


@pytest.mark.parametrize("path", [".gitignore", ".gitattributes", ".git/HEAD", ".github/x/y"])
def test_git_files_at_the_root_may_be_unsigned_but_not_changed(path: str) -> None:
    copy = (*files(a="1"), HashedFile(path, "2"))
    assert difference({"a": "1"}, copy, single=False) == ""
    assert difference({"a": "1", path: "1"}, copy, single=False) == f"changed since signed: {path}"


@pytest.mark.parametrize("path", ["sub/.gitignore", ".gitx", ".git", "sub/.git/HEAD", ".githubx/y"])
def test_what_only_looks_like_a_git_file_must_be_signed(path: str) -> None:
    assert difference({"a": "1"}, (*files(a="1"), HashedFile(path, "2")), single=False) == f"not signed: {path}"


def test_a_file_signed_as_such_has_no_name_of_its_own() -> None:
    assert difference({".": "1"}, files(model="1"), single=True) == ""
    assert difference({".": "2"}, files(model="1"), single=True) != ""
    assert difference({".": "1"}, files(model="1"), single=False) != ""
