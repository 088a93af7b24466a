from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from sentinel_operator.cli.headline import headline
from sentinel_operator.cli.pods import MOST_SHOWN, ending
from sentinel_operator.cli.story import Gathered, story
from tests.unit.cli.recording import CASES, NOW, gathered, golden, printed, recorded


@pytest.mark.parametrize("case", CASES)
def test_the_whole_story(case: str) -> None:
    assert printed(story(gathered(case), now=NOW)) == golden(case)


FIRST_LINES = {
    "canary": ("Serving 1.0.0 with 4 pods and 2.0.0 with 1 pod; 4 wanted.", "step 1 of 7 (analysis)", "Nothing to do"),
    "canary-paused": (
        "Serving 1.0.0 with 4 pods and 2.0.0 with 1 pod; 4 wanted.",
        "Waiting: Paused: ",
        "kubectl sentinel promote",
    ),
    "canary-aborted": (
        "Serving 1.0.0 with 4 of 4 pods.",
        "Waiting for you: RevisionAborted: ",
        "kubectl sentinel retry",
    ),
    "unobserved": ("Not serving: 0 of 2 pods ready.", "Waiting: NotObserved: ", "look whether the operator runs"),
    "first-delivery": (
        "Serving 1.0.0 with 1 of 2 pods.",
        "Waiting: Progressing: ",
        "Nothing to do: it goes on",
    ),
    "ready": ("Serving 1.0.0 with 2 of 2 pods.", "Waiting for nothing.", "Nothing to do."),
    "rolling": ("Serving 1.0.0 with 1 pod and 1.1.0 with 1 pod; 2 wanted.", "1 of 2 pods ready", "Nothing to do"),
    "failed-upgrade": ("Serving 1.0.0 with 2 of 2 pods.", "Waiting for you: DigestMismatch: ", "To do: find out who"),
    "storage-unreachable": ("Not serving: 0 of 2 pods ready.", "Waiting: StorageUnreachable: ", "check the endpoint"),
    "suspended": ("Serving 1.0.0 with 2 of 2 pods.", "Suspended: ", "To do: set spec.suspend to false"),
    "invalid-spec": (
        "Serving 1.0.0 with 2 of 2 pods.",
        "Waiting for you: InvalidSpec: spec.model.",
        "To do: correct",
    ),
    "scaled-to-zero": ("Not serving: none is asked for.", "Waiting for nothing.", "To do: raise spec.replicas"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_line_says_whether_it_serves_what_it_waits_for_and_what_to_do(case: str) -> None:
    line = headline(recorded(case))
    serving, waiting, todo = FIRST_LINES[case]
    assert line.startswith(serving)
    assert serving in line
    assert line.index(waiting) < line.index(todo)


def test_an_object_that_is_being_deleted_says_so_whatever_its_conditions_are() -> None:
    raw = recorded("ready")
    raw["metadata"]["deletionTimestamp"] = "2025-03-01T11:59:00Z"
    assert "Waiting: Terminating: it is being deleted." in headline(raw)


def test_a_spec_that_changed_since_makes_the_old_conditions_worthless() -> None:
    raw = recorded("ready")
    raw["metadata"]["generation"] = 2
    assert "the operator has not looked at generation 2 yet; it last looked at 1" in headline(raw)
    assert "generation 2 (observed: 1)" in printed(story(Gathered(raw=raw), now=NOW))


def test_a_status_that_a_newer_operator_wrote_is_told_as_far_as_it_is_understood() -> None:
    raw = recorded("ready")
    raw["status"] |= {"phase": "Analysing", "canary": "not as here", "more": {"a": 1}}
    assert headline(raw).startswith("Serving 1.0.0 with 2 of 2 pods. Waiting for nothing.")


def test_what_cannot_be_read_is_a_note_and_not_an_end() -> None:
    told = gathered("ready")
    text = printed(story(Gathered(raw=told.raw, pods=None, events=None, notes=("pods is forbidden",)), now=NOW))
    assert text.endswith("Note: pods is forbidden\n")


def test_messages_of_pods_cannot_steer_the_terminal() -> None:
    told = gathered("failed-upgrade")
    hostile = copy.deepcopy(told.raw)
    hostile["status"]["conditions"][0]["message"] = "\x1b]0;title\x07 line\nbreak \x9b2J \u202eright-to-left"
    text = printed(story(Gathered(raw=hostile), now=NOW), force_terminal=True, color_system="truecolor")
    assert "\x1b]" not in text
    assert not {"\x07", "\x9b", "\u202e"} & set(text)
    assert "�]0;title� line break �2J �right-to-left" in text


def test_of_many_pods_those_in_trouble_are_shown_and_the_rest_is_counted() -> None:
    told = gathered("rolling")
    assert told.pods
    many = [_renamed(told.pods[-1], f"good-{i}") for i in range(40)]
    bad = _renamed(gathered("storage-unreachable").pods[0], "bad")  # type: ignore[index]
    lines = printed(story(Gathered(raw=told.raw, pods=[*many, bad]), now=NOW)).splitlines()
    pods = [line for line in lines if line.startswith(("  good-", "  bad"))]
    assert pods[0].split()[:3] == ["bad", "not", "ready"]
    assert len(pods) == MOST_SHOWN
    assert f"  and {41 - MOST_SHOWN} more" in lines


def test_a_pod_without_a_node_says_why() -> None:
    pod = gathered("storage-unreachable").pods[0]  # type: ignore[index]
    del pod["spec"]["nodeName"]
    lacking = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes: no gpu"}
    pod["status"] = {"phase": "Pending", "conditions": [lacking]}
    text = printed(story(Gathered(raw=recorded("ready"), pods=[pod]), now=NOW))
    assert "Unschedulable   revision df7b6868, without a node, age 90s: 0/2 nodes: no gpu" in text


VERIFIED = {"digest": f"sha256:{'1' * 64}", "authority": "", "identity": "", "at": ""}
ENDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "a field and a message": (
        {"exitCode": 20, "message": json.dumps({"field": "spec.schema.labels", "message": "has 2, the model 3"})},
        "SchemaMismatch (exit code 20): spec.schema.labels: has 2, the model 3",
    ),
    "words that are no JSON": ({"exitCode": 11, "message": "killed"}, "SignatureInvalid (exit code 11): killed"),
    "an exit code of nobody's": ({"exitCode": 137, "reason": "OOMKilled"}, "OOMKilled (exit code 137)"),
    "no word at all": ({"exitCode": 1}, "Error (exit code 1)"),
    "done, nobody's signature asked for": (
        {"exitCode": 0, "message": json.dumps({"verification": VERIFIED})},
        "verified sha256:111111111111…, signature not asked for",
    ),
    "done, with a warning, from the cache": (
        {"exitCode": 0, "message": json.dumps({"verification": VERIFIED | {"warning": "unsigned", "fromCache": True}})},
        "verified sha256:111111111111…, signature not asked for, from the cache; WARNING: unsigned",
    ),
}


@pytest.mark.parametrize("case", ENDINGS)
def test_how_a_container_ended(case: str) -> None:
    ended, said = ENDINGS[case]
    assert ending(ended) == said


def _renamed(pod: Any, name: str) -> Any:
    return {**pod, "metadata": {**pod["metadata"], "name": name}}
