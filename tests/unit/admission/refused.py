"""What admission and the reconciler refuse beyond the schema: an object and every error, at its field."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from tests.unit.crdgen.rule_cases import accepted

TABULAR = next(each for each in accepted() if each["metadata"]["name"] == "from-object-store")
TEXT = next(each for each in accepted() if each["metadata"]["name"] == "from-https")
PLAIN = next(each for each in accepted() if each["metadata"]["name"] == "from-claim")
FEATURES = "spec.runtime.warmup[0].features"


@dataclass(frozen=True)
class Refused:
    """One object that has to be refused, and everything that has to be said of it."""

    document: dict[str, Any]
    errors: tuple[str, ...]

    def __str__(self) -> str:
        return self.errors[0]


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Sets a field, making the objects above it where they are missing."""
    out = copy.deepcopy(document)
    *parents, last = path.split(".")
    target = out
    for step in parents:
        target = target.setdefault(step, {})
    target[last] = value
    return out


_FIELDS = (
    (PLAIN, "spec.model.maxBytes", "0", "spec.model.maxBytes: must be at least 1"),
    (TABULAR, "spec.model.cache.maxBytes", "100m", "spec.model.cache.maxBytes: must be at least 1"),
    (
        TABULAR,
        "spec.model.verify.authorities",
        [
            {
                "name": "ci",
                "keyless": {
                    "trustRoot": {"name": "a", "key": "b"},
                    "identities": [{"issuer": "a", "subjectRegExp": "("}],
                },
            }
        ],
        (
            "spec.model.verify.authorities[0].keyless.identities[0].subjectRegExp: is no regular expression: "
            "missing ), unterminated subpattern at position 0"
        ),
    ),
    (TEXT, "spec.schema.labels", ["a", "b", "a"], 'spec.schema.labels[2]: Duplicate value: "a"'),
    (
        PLAIN,
        "spec.schema.features",
        [{"name": "a"}, {"name": "a"}],
        'spec.schema.features[1].name: Duplicate value: "a"',
    ),
    (
        TABULAR,
        "spec.pod.resources",
        {"requests": {"cpu": "1500m", "memory": "1Gi"}, "limits": {"cpu": 1, "memory": "1024Mi"}},
        "spec.pod.resources.requests.cpu: must not be greater than the limit 1",
    ),
    (
        TABULAR,
        "spec.pod.resources",
        {"limits": {"nvidia.com/gpu": 1}},
        "spec.pod.resources.limits.nvidia.com/gpu: must be left out: spec.runtime.gpu says it",
    ),
    (
        PLAIN,
        "spec.pod.volumes",
        [{"name": "a", "mountPath": "/a", "source": {}}],
        "spec.pod.volumes[0].source: must hold exactly one source, such as {configMap: {name: extra}}",
    ),
    (
        PLAIN,
        "spec.pod.volumes",
        [{"name": name, "mountPath": path, "source": {"emptyDir": {}}} for name, path in (("a", "/a"), ("b", "/a/"))],
        'spec.pod.volumes[1].mountPath: Duplicate value: "/a"',
    ),
    (
        PLAIN,
        "spec.pod.volumes",
        [{"name": "a", "mountPath": "/etc/sentinel/", "source": {"emptyDir": {}}}],
        "spec.pod.volumes[0].mountPath: '/etc/sentinel/' is a place of the operator's",
    ),
)
_WARMUPS = (
    (TABULAR, {"text": "a"}, ["spec.runtime.warmup[0]: must hold either features or instances"]),
    (TABULAR, {"instances": []}, ["spec.runtime.warmup[0].instances: must be a list of at least one"]),
    (TABULAR, {"instances": [5]}, ["spec.runtime.warmup[0].instances[0]: must be of type object"]),
    (
        TABULAR,
        {"features": {"avg_pkt_len": 1, "flow_duration": 1, "packets": 1, "encrypted": True, "b": 1, "\n": 1, "a": 1}},
        [
            f'{FEATURES}["\\n"]: is none of spec.schema.features',
            f"{FEATURES}.a: is none of spec.schema.features",
            f"{FEATURES}.b: is none of spec.schema.features",
        ],
    ),
    (
        TABULAR,
        {"features": {"avg_pkt_len": "1", "flow_duration": True, "packets": 1.5, "extra": 1}},
        [
            f"{FEATURES}.extra: is none of spec.schema.features",
            f"{FEATURES}.avg_pkt_len: must be a number: the feature is float32",
            f"{FEATURES}.flow_duration: must be a number: the feature is float64",
            f"{FEATURES}.packets: must be an integer: the feature is int64",
            f"{FEATURES}.encrypted: Required value",
        ],
    ),
    (TEXT, {"features": {}}, ["spec.runtime.warmup[0]: must hold either text or texts"]),
    (TEXT, {"texts": ["a", ""]}, ["spec.runtime.warmup[0].texts: must be text, and not empty"]),
    (TEXT, {"text": 5}, ["spec.runtime.warmup[0].text: must be text, and not empty"]),
)
REFUSED = (
    *(Refused(changed(document, path, value), (wanted,)) for document, path, value, wanted in _FIELDS),
    *(Refused(changed(document, "spec.runtime.warmup", [body]), tuple(wanted)) for document, body, wanted in _WARMUPS),
)
