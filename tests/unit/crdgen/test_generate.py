"""Writing, checking and pruning what is generated."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest
import yaml

from sentinel_operator.api.kinds import KINDS, SENTRY_MODEL
from sentinel_operator.crdgen.__main__ import main
from sentinel_operator.crdgen.files import FOLDERS, files


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    assert main(["--into", str(tmp_path)]) == 0
    return tmp_path


def test_what_was_just_written_is_up_to_date(tree: Path):
    assert main(["--check", "--into", str(tree)]) == 0


def test_every_file_lies_in_a_folder_of_its_own_kind():
    assert {path.parent for path in files()} == set(FOLDERS)


@pytest.mark.parametrize("path", sorted(files()), ids=str)
def test_a_file_that_was_edited_or_lost_fails_the_check_by_name(tree: Path, path: PurePosixPath, capsys):
    (tree / path).write_text((tree / path).read_text() + "\n")
    assert main(["--check", "--into", str(tree)]) == 1
    assert f"{path} is out of date" in capsys.readouterr().err
    (tree / path).unlink()
    assert main(["--check", "--into", str(tree)]) == 1


def test_the_file_of_a_kind_that_is_gone_fails_the_check_and_is_removed(tree: Path, capsys):
    stale = tree / "crds" / "sentinel.dev_oldmodels.yaml"
    stale.write_text("kind: CustomResourceDefinition")
    assert main(["--check", "--into", str(tree)]) == 1
    assert "crds/sentinel.dev_oldmodels.yaml is out of date" in capsys.readouterr().err
    assert main(["--into", str(tree)]) == 0
    assert not stale.exists()


def test_writing_again_touches_nothing(tree: Path):
    before = {path: (tree / path).stat().st_mtime_ns for path in files()}
    assert main(["--into", str(tree)]) == 0
    assert {path: (tree / path).stat().st_mtime_ns for path in files()} == before


def test_this_checkout_is_up_to_date():
    assert main(["--check"]) == 0


def test_the_kustomizations_name_every_file(tree: Path):
    for folder in (tree / "crds", tree / "manifests/base/generated"):
        named = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
        assert {*named, "kustomization.yaml"} == {path.name for path in folder.iterdir()}


def test_definitions_of_anybody_can_be_scored(tree: Path, capsys):
    assert main(["--score", *(str(path) for path in sorted((tree / "crds").glob("*_*.yaml")))]) == 0
    assert "SentryModel\t10/11\tlacks conversion webhook" in capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_link_of_the_reference_leads_somewhere(kind):
    text = files()[PurePosixPath(f"docs/reference/{kind.kind.lower()}.md")]
    anchors = {re.sub(r"[^a-z0-9]", "", line.lower()) for line in re.findall(r"^## (.*)$", text, re.MULTILINE)}
    assert set(re.findall(r"\(#([^)]*)\)", text)) <= anchors


def test_the_reference_tells_of_defaults_bounds_and_rules():
    text = files()[PurePosixPath("docs/reference/sentrymodel.md")]
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| `")}
    assert '`"10m"`' in rows["`progressDeadline`"]
    assert "Must be a duration from 1s to 24h" in rows["`progressDeadline`"]
    assert "≥ 1, ≤ 8192" in rows["`maxTokens`"]
    assert "> 0, ≤ 1000000" in rows["`requestsPerSecond`"]
    assert "**required**" in rows["`uri`"]


def test_the_reference_sends_to_where_a_block_is_described():
    text = files()[PurePosixPath("docs/reference/sentrymodel.md")]
    described = "spec.rollout.canary.steps[].analysis"
    assert text.count(f"Its fields: see [`{described}`](#specrolloutcanarystepsanalysis).") == 5
    assert text.count("| `falseAbortRate` |") == 1


def test_the_reference_has_every_field():
    text = files()[PurePosixPath("docs/reference/sentrymodel.md")]
    for name in SENTRY_MODEL.spec.model_json_schema(by_alias=True)["properties"]:
        assert f"`{name}`" in text
