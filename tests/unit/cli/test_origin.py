from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.cli.act import to_commit
from sentinel_operator.cli.origin import followed_by
from sentinel_operator.cli.words import Word
from tests.support.builders import a_model

FOLLOWED: dict[str, tuple[dict[str, Any], str]] = {
    "annotation": ({"annotations": {"argocd.argoproj.io/tracking-id": "a:b"}}, "Argo CD (annotation argocd."),
    "label": ({"labels": {"argocd.argoproj.io/instance": "fraud"}}, "Argo CD (label argocd."),
    "Flux": ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux (label kustomize."),
    "manager": ({"managedFields": [{"manager": "argocd-controller"}]}, "Argo CD (field manager argocd-controller)"),
    "by hand": ({"labels": {"app.kubernetes.io/instance": "fraud"}, "annotations": {"a": "b"}}, ""),
    "status only": ({"managedFields": [{"manager": "argocd-controller", "subresource": "status"}]}, ""),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_who_keeps_an_object_as_git_has_it(case: str) -> None:
    metadata, said = FOLLOWED[case]
    found = followed_by(a_model().with_metadata(**metadata).raw)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_what_is_to_be_committed() -> None:
    found = Word(told="", field="retry", value={"revision": "7e5c2116", "attempt": 2}, removes=("abort",))
    assert to_commit(found) == (
        "# remove spec.rollout.abort\nspec:\n  rollout:\n    retry:\n      revision: 7e5c2116\n      attempt: 2\n"
    )
    assert to_commit(Word(told="", removes=("paused",))) == "# remove spec.rollout.paused\n"
