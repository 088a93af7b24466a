"""Where files may go: never out of the folder, never ambiguous."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.fetch.source import Remote, check_tree, safe_path, single_name
from sentinel_workloads.objectstore.failures import Failure

PIECES = st.sampled_from(["..", ".", "", "a", "b.onnx", "...", "..a", " ", "\\", "\n", "\0", "\x7f", "ü", "~", "C:"])


@given(st.lists(PIECES, min_size=1, max_size=8).map("/".join))
def test_an_accepted_name_stays_below_the_folder_and_means_one_file(name: str) -> None:
    root = Path("/artifact")
    try:
        path = root / safe_path(name, field="f")
    except Failure:
        return
    assert path.is_relative_to(root)
    assert path != root
    assert ".." not in path.parts
    assert str(path.relative_to(root)) == name
    assert not set(name) & set("\\\n\0\x7f")


@pytest.mark.parametrize("name", ["a", "a/b", "...", "..a/b..", "a b", "ü/日本", ".hidden", "-x", "C:"])
def test_ordinary_names_are_accepted(name: str) -> None:
    assert safe_path(name, field="f") == name


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("s3://bucket/models/a%20b#1?.onnx", "a%20b#1?.onnx"),
        ("https://host/models/a%20b.onnx?version=1#x", "a b.onnx"),
        ("file:///mnt/a%20b.onnx", "a b.onnx"),
    ],
)
def test_a_single_file_is_called_as_in_its_address(uri: str, name: str) -> None:
    assert single_name(uri, field="f") == name


@pytest.mark.parametrize("uri", ["s3://bucket/..", "https://host/%2e%2e", "file:///mnt/.."])
def test_an_address_cannot_name_the_parent(uri: str) -> None:
    with pytest.raises(Failure):
        single_name(uri, field="f")


@pytest.mark.parametrize(
    ("paths", "good"),
    [(("a/b", "a/c", "d"), True), (("a", "a/b"), False), (("a/b/c/d", "a/b"), False), (("a", "ab", "a.b/c"), True)],
)
def test_no_name_is_both_a_file_and_a_folder(paths: tuple[str, ...], good: bool) -> None:
    remotes = tuple(Remote(path=path, locator=path) for path in paths)
    if good:
        check_tree(remotes, field="f")
        return
    with pytest.raises(Failure) as raised:
        check_tree(remotes, field="f")
    assert raised.value.code is ExitCode.InvalidConfig
