"""What the operator reaches where NetworkPolicies are enforced: whatever it is shipped to ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sentinel_operator.api.serving import METRICS_PORT
from sentinel_operator.core import names

POLICY = Path(__file__).parents[3] / "manifests/base/network-policy.yaml"


def egress() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = yaml.safe_load(POLICY.read_text())["spec"]["egress"]
    return rules


def test_the_metrics_of_models_are_within_reach_in_every_namespace():
    to_pods = [rule for rule in egress() if rule.get("to")]
    assert [port["port"] for rule in to_pods for port in rule["ports"]] == [METRICS_PORT]
    ((peer,),) = (rule["to"] for rule in to_pods)
    assert peer["namespaceSelector"] == {}
    assert peer["podSelector"]["matchExpressions"] == [{"key": names.KIND, "operator": "Exists"}]


def test_elsewhere_only_names_and_tls_ports_are():
    anywhere = [rule for rule in egress() if not rule.get("to")]
    assert {port["port"] for rule in anywhere for port in rule["ports"]} == {53, 443, 6443}
