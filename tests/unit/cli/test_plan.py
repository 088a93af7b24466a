from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.serving import ExitCode
from sentinel_operator.cli.__main__ import app
from sentinel_operator.cli.change import Declaration, Difference, differences
from tests.support.builders import ModelBuilder, a_config_map, a_model, merged
from tests.unit.cli.test_offline import KEYLESS, SETTINGS
from tests.unit.cli.test_verbs import canary, give, serving, waiting

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "rollouts").glob("*.yaml"))


def plan(folder: Path, new: Any, old: Any = None, *words: str) -> Result:
    flags = ["--against", _file(folder, "old", old)] if old is not None else []
    return CliRunner().invoke(app, ["plan", _file(folder, "new", new), *flags, *words], catch_exceptions=False)


def _file(folder: Path, name: str, objects: Any) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump_all(objects if isinstance(objects, list) else [objects]))
    return str(path)


def lines(done: Result) -> list[str]:
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def declared(model: ModelBuilder, *config_maps: dict[str, Any]) -> Declaration:
    return Declaration(raw=model.raw, config=SentinelConfigSpec(), config_maps=config_maps)


def test_the_revision_is_named_as_the_operator_names_it() -> None:
    world = waiting()
    assert declared(canary(1)).revision == world.status["stable"]["revision"]
    assert declared(canary(2)).revision == world.status["canary"]["revision"]


def test_each_field_says_whether_it_makes_another_revision() -> None:
    old = declared(a_model().with_replicas(2))
    new = declared(a_model().with_version("2.0.0").with_replicas(3).with_rollout(maxSurge=1))
    uri = ("s3://models/fraud/1.0.0/", "s3://models/fraud/2.0.0/")
    assert differences(old, new) == [
        Difference(field="spec.model.version", before="1.0.0", after="2.0.0", revises=True),
        Difference(field="spec.model.source.objectStore.uri", before=uri[0], after=uri[1], revises=True),
        Difference(field="spec.replicas", before="2", after="3", revises=False),
        Difference(field="spec.rollout.maxSurge", before="absent", after="1", revises=False),
    ]
    assert differences(old, old) == []


def test_what_is_only_valid_together_is_told_of_no_field_alone() -> None:
    old = declared(a_model())
    https = {"source": {"type": "Https", "objectStore": None, "https": {"url": "https://models.test/fraud.onnx"}}}
    found = differences(old, declared(a_model().with_spec(model=https)))
    assert {each.field: each.revises for each in found} == {
        "spec.model.source.type": None,
        "spec.model.source.objectStore": None,
        "spec.model.source.https": None,
    }


def test_a_new_version_by_steps_with_what_they_take(tmp_path: Path) -> None:
    gpu = {"gpu": {"resourceName": "nvidia.com/gpu", "count": 2}}
    done = plan(tmp_path, canary(2).with_spec(runtime=gpu).raw, canary(1).with_spec(runtime=gpu).raw)
    assert done.exit_code == 0
    told = lines(done)
    assert told[0] == "sentrymodel/fraud in namespace team-a"
    assert told[1].startswith("A new revision: ")
    assert "spec.model.version 1.0.0 → 2.0.0 makes another revision" in told
    assert (
        "Canary: 6 steps, about 65s plus the waits of 2 steps for a person or a gate; "
        "at most 8 pods and 16 GPUs at once (4 pods wanted)." in told
    )
    assert "0 weight 20% 20% 4 1 5 10 about 30s" in told
    assert "1 pause until promoted 20% 4 1 5 10 until somebody acts" in told
    assert "By whole pods, 60% becomes 50% (4 of 8 pods)." in told


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_of_a_rollout_can_be_foreseen(example: Path) -> None:
    done = CliRunner().invoke(app, ["plan", str(example)], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert any(line.startswith("0 ") for line in lines(done))


def test_time_to_start_a_pod_is_the_persons_to_say(tmp_path: Path) -> None:
    done = plan(tmp_path, canary(2).raw, canary(1).raw, "--pod-start", "5m")
    assert "0 weight 20% 20% 4 1 5 about 5m" in lines(done)
    assert "Reckoned with pods that are ready after 5m (--pod-start), and without failures." in lines(done)


def test_under_a_gateway_weights_are_exact(tmp_path: Path) -> None:
    routed = {"routing": {"provider": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}}}
    done = plan(tmp_path, canary(2).with_spec(**routed).raw, canary(1).with_spec(**routed).raw)
    assert done.exit_code == 0, done.stderr
    assert "2 weight 60% 60% 4 3 7 about 30s" in lines(done)
    assert "By whole pods" not in done.stdout


def test_without_anything_to_compare_it_is_told_how_another_would_be_replaced(tmp_path: Path) -> None:
    told = lines(plan(tmp_path, canary(2).raw))
    assert told[1].endswith("Nothing is compared (--against): shown is how it would replace another one.")
    assert told[2].startswith("Canary: 6 steps")


def test_a_model_that_the_other_file_lacks_is_delivered_first(tmp_path: Path) -> None:
    other = canary(1).with_metadata(name="spam").raw
    told = lines(plan(tmp_path, canary(1).raw, other))
    assert told[1].endswith("the first: there is no such model to compare with.")
    assert told[2].startswith("First delivery: nothing serves yet. 1 step, about ")


def test_what_stays_within_the_revision_is_not_delivered(tmp_path: Path) -> None:
    told = lines(plan(tmp_path, canary(1).with_replicas(9).raw, canary(1).raw))
    assert told[1].startswith("No new revision: it stays ")
    assert told[-1] == "Nothing is delivered: that revision serves already, with 9 pods wanted."
    assert lines(plan(tmp_path, canary(1).raw, canary(1).raw))[1].startswith("Nothing changes: it stays ")


def test_a_config_map_that_differs_is_another_revision_though_no_field_says_so(tmp_path: Path) -> None:
    raw = a_model().with_spec(model={"verify": KEYLESS}).raw
    old, new = (a_config_map("root", root__json=text) for text in ("{}", '{"trusted": true}'))
    told = lines(plan(tmp_path, [raw, new], [raw, old]))
    assert told[1].startswith("A new revision: ")
    assert told[2].startswith("No field of the spec does it alone")


def test_images_of_the_settings_are_part_of_a_revision(tmp_path: Path) -> None:
    told = lines(plan(tmp_path, [canary(1).raw, SETTINGS], canary(1).raw))
    assert told[1].startswith("A new revision: ")


@pytest.mark.parametrize("verb", ["abort", None])
def test_a_revision_that_was_found_bad_is_not_delivered_again(tmp_path: Path, verb: str | None) -> None:
    if verb:
        world = waiting()
        give(world, verb)
        give(world, "undo")
    else:
        world = serving()
        world.fate = lambda version: ExitCode.DigestMismatch if version == "2.0.0" else None
        world.edit(canary(2))
        world.settle()
    done = plan(tmp_path, canary(2).raw, world.model)
    assert done.exit_code == 1
    said = "RevisionAborted" if verb else "RevisionRejected"
    assert any(line.startswith(f"Nothing is delivered: {said}: revision ") for line in lines(done))


def test_a_rollout_under_way_goes_on_ends_or_starts_again(tmp_path: Path) -> None:
    world = waiting()
    assert "The rollout under way goes on: 6 steps" in plan(tmp_path, canary(2).raw, world.model).stdout
    edited = canary(2, canary={"steps": [{"setWeight": 30}, {"pause": {}}]}).raw
    assert "The rollout under way starts again, as its steps were edited" in plan(tmp_path, edited, world.model).stdout
    told = plan(tmp_path, canary(3).raw, world.model).stdout
    stable, candidate = (world.status["rollout"][each] for each in ("stable", "candidate"))
    assert f"The rollout of revision {candidate} ends: all requests go back to {stable} first." in told
    assert "Canary: 6 steps" in told


def test_an_operator_of_another_release_may_name_revisions_in_another_way(tmp_path: Path) -> None:
    world = waiting()
    candidate = world.status["rollout"]["candidate"]
    world.model = yaml.safe_load(yaml.safe_dump(world.model).replace(candidate, "0ther"))
    told = plan(tmp_path, canary(2).raw, world.model).stdout
    assert "Nothing changes: it stays 0ther." in told
    assert "The rollout under way goes on" in told


def test_back_within_the_window_is_at_once(tmp_path: Path) -> None:
    window = {"rollbackWindow": {"revisions": 3}}
    world = serving(**window)
    world.edit(canary(2, **window))
    world.settle()
    give(world, "promote", full=True)
    told = plan(tmp_path, canary(1, **window).raw, world.model).stdout
    assert ", at once, as it was promoted lately (steps and analyses are skipped): 2 steps, about 35s" in told
    assert "pause" not in told


def test_pods_of_stable_that_are_missing_now_shift_the_weights(tmp_path: Path) -> None:
    world = serving()
    world.model["status"]["stable"]["readyReplicas"] = 2
    told = plan(tmp_path, canary(2).raw, world.model).stdout
    assert "Of stable 2 of 4 pods are ready now; as long as that is so, 20% is 33%, 60% is 60%." in told


def test_every_model_of_a_file_is_told(tmp_path: Path) -> None:
    spam = canary(2).with_metadata(name="spam").raw
    told = lines(plan(tmp_path, [canary(2).raw, spam], [canary(1).raw, merged(spam, canary(1).raw)]))
    assert [line for line in told if line.startswith("sentrymodel/")] == [
        "sentrymodel/fraud in namespace team-a",
        "sentrymodel/spam in namespace team-a",
    ]


def test_what_is_wrong_is_said_as_by_render(tmp_path: Path) -> None:
    done = plan(tmp_path, canary(2).with_replicas(-1).raw, canary(1).raw)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == ["spec.replicas: should be greater than or equal to 0"]
    assert plan(tmp_path, canary(2).raw, None, "--pod-start", "soon").exit_code == 2
