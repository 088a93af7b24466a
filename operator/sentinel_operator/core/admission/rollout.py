"""What a delivery must be beyond what its schema can say."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.api.analysis import AnalysisSpec
from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.admission.verdict import FieldError
from sentinel_operator.core.analysis.check import problems

_ROLLOUT = "spec.rollout"


def rollout_problems(rollout: RolloutSpec) -> Iterator[FieldError]:
    """Gives what is wrong with a delivery, by field: conditions that cannot be read, and what would never happen."""
    for path, analysis in _analyses(rollout):
        for field, message in problems(analysis):
            yield FieldError(f"{path}.{field}", message)


def _analyses(rollout: RolloutSpec) -> Iterator[tuple[str, AnalysisSpec]]:
    for index, step in enumerate(rollout.canary.steps or ()):
        if step.analysis is not None:
            yield f"{_ROLLOUT}.canary.steps[{index}].analysis", step.analysis
    named = {
        "canary.analysis": rollout.canary.analysis,
        "blueGreen.prePromotionAnalysis": rollout.blue_green.pre_promotion_analysis,
        "blueGreen.postPromotionAnalysis": rollout.blue_green.post_promotion_analysis,
        "shadow.analysis": rollout.shadow.analysis,
        "hotSwap.analysis": rollout.hot_swap.analysis,
    }
    yield from ((f"{_ROLLOUT}.{path}", analysis) for path, analysis in named.items() if analysis is not None)
