"""Who may do what: exactly what is declared, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.api.kinds import ACTION_PLAN, KINDS, SENTRY_MODEL
from sentinel_operator.config import Settings
from sentinel_operator.core.reconciler import PODS, ChildKind
from sentinel_operator.core.sentrymodel.reconciler import CHILDREN
from sentinel_operator.crdgen.roles import certificate_roles, operator_roles, user_roles
from sentinel_operator.crdgen.webhooks import mutating_configuration, webhook_configuration

SETTINGS = Settings(namespace="sentinel-system")


def rights(role: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    """Gives (group, resource, verb, name) for everything that a role allows; an empty name is any."""
    return {
        (group, resource, verb, name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def by_kind(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in objects}


def test_children_bring_their_verbs_and_no_others():
    children = [ChildKind("apps/v1", "Deployment", "deployments", scalable=True), PODS]
    allowed = rights(by_kind(operator_roles(children, (), SETTINGS))["ClusterRole"])
    assert {right for right in allowed if right[0] == "apps"} == {
        *(("apps", "deployments", verb, "") for verb in ("get", "list", "watch", "create", "patch", "delete")),
        ("apps", "deployments/scale", "get", ""),
        ("apps", "deployments/scale", "patch", ""),
    }
    assert {verb for group, resource, verb, _ in allowed if (group, resource) == ("", "pods")} == {
        "get",
        "list",
        "watch",
    }


def test_our_own_objects_are_read_and_their_status_written_and_nothing_more():
    allowed = rights(by_kind(operator_roles((), (SENTRY_MODEL,), SETTINGS))["ClusterRole"])
    assert {right[1:3] for right in allowed if right[0] == "sentinel.dev"} == {
        ("sentrymodels", "get"),
        ("sentrymodels", "list"),
        ("sentrymodels", "watch"),
        ("sentrymodels/status", "patch"),
        ("sentrymodels/finalizers", "update"),
        *(("nodetelemetries", verb) for verb in ("get", "list", "watch")),
    }


def test_secrets_are_out_of_reach_but_for_the_webhooks_own():
    everything = [*operator_roles(CHILDREN, KINDS, SETTINGS), *certificate_roles(SETTINGS)]
    secrets = [
        (role["kind"], role["metadata"].get("namespace"), right[2:])
        for role in everything
        if "rules" in role
        for right in rights(role)
        if right[1].startswith("secrets")
    ]
    assert sorted(secrets) == [
        ("Role", "sentinel-system", ("create", "")),
        ("Role", "sentinel-system", ("get", "sentinel-webhook-tls")),
        ("Role", "sentinel-system", ("update", "sentinel-webhook-tls")),
    ]


def test_no_role_has_a_wildcard_or_leads_to_more_rights():
    for role in [*operator_roles(CHILDREN, KINDS, SETTINGS), *certificate_roles(SETTINGS), *user_roles()]:
        for group, resource, verb, _ in rights(role) if "rules" in role else ():
            assert "*" not in (group, resource, verb)
            # The API server lets nobody give away rights by these that they do not have themselves.
            assert group != "rbac.authorization.k8s.io" or resource in ("roles", "rolebindings")
            assert verb not in ("escalate", "bind", "impersonate")
            assert resource not in ("pods/exec", "serviceaccounts/token", "nodes/proxy")
            assert (resource, verb) == ("nodes", "list") or resource != "nodes"


def test_only_the_own_webhook_configuration_can_be_changed():
    role = by_kind(certificate_roles(SETTINGS))["ClusterRole"]
    assert rights(role) == {
        ("admissionregistration.k8s.io", f"{sort}webhookconfigurations", verb, "sentinel-operator")
        for sort in ("mutating", "validating")
        for verb in ("get", "patch")
    }


def test_names_follow_the_settings():
    settings = Settings(namespace="ml", lease="l", webhook_secret="s", webhook_configuration="w")
    objects = [*operator_roles((), KINDS, settings), *certificate_roles(settings)]
    names = {right[3] for role in objects if "rules" in role for right in rights(role)}
    assert names == {"", "l", "s", "w"}
    assert {subject["namespace"] for each in objects for subject in each.get("subjects", ())} == {"ml"}
    hook = webhook_configuration([SENTRY_MODEL], settings)["webhooks"][0]
    assert hook["clientConfig"]["service"]["namespace"] == "ml"


@pytest.mark.parametrize(
    ("role", "aggregated", "can", "cannot"),
    [
        ("sentinel-view", {"view", "edit", "admin"}, ("sentrymodels", "watch"), ("sentrymodels", "patch")),
        ("sentinel-edit", {"edit", "admin"}, ("sentrymodels/scale", "patch"), ("sentinelconfigs", "patch")),
        ("sentinel-admin", {"admin"}, ("sentinelconfigs", "patch"), ("sentrymodels/status", "patch")),
    ],
)
def test_people_get_theirs_through_kubernetes_own_roles(role, aggregated, can, cannot):
    found = next(each for each in user_roles() if each["metadata"]["name"] == role)
    labels = found["metadata"]["labels"]
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    assert {label.removeprefix(prefix) for label in labels if label.startswith(prefix)} == aggregated
    allowed = {right[1:3] for right in rights(found)}
    assert can in allowed
    assert cannot not in allowed


def test_the_webhook_is_for_our_kinds_alone_and_fails_closed():
    (hook,) = webhook_configuration([SENTRY_MODEL], SETTINGS)["webhooks"]
    assert hook["failurePolicy"] == "Fail"
    assert hook["sideEffects"] == "None"
    assert hook["clientConfig"]["service"]["path"] == "/validate-sentrymodels"
    ((groups, resources, operations),) = [
        (rule["apiGroups"], rule["resources"], rule["operations"]) for rule in hook["rules"]
    ]
    assert groups == ["sentinel.dev"]
    assert resources == ["sentrymodels"]
    assert operations == ["CREATE", "UPDATE"]


@pytest.mark.parametrize("plural", ["scanjobs", "actionplans"])
def test_who_created_an_object_is_asked_for_where_it_is_remembered_and_nowhere_else(plural: str):
    hooks = mutating_configuration(KINDS, SETTINGS)["webhooks"]
    assert {hook["clientConfig"]["service"]["path"] for hook in hooks} == {"/stamp-scanjobs", "/stamp-actionplans"}
    (hook,) = (each for each in hooks if each["clientConfig"]["service"]["path"] == f"/stamp-{plural}")
    assert hook["failurePolicy"] == "Fail"
    assert hook["sideEffects"] == "None"
    assert hook["reinvocationPolicy"] == "IfNeeded"
    assert [rule["resources"] for rule in hook["rules"]] == [[plural]]
    (condition,) = hook["matchConditions"]
    assert condition["expression"].startswith("oldObject == null || ")


def test_an_approval_and_a_changed_stamp_of_a_plan_are_asked_for():
    (stamping,) = mutating_configuration([ACTION_PLAN], SETTINGS)["webhooks"]
    (validating,) = webhook_configuration([ACTION_PLAN], SETTINGS)["webhooks"]
    for hook in (stamping, validating):
        asked = hook["matchConditions"][0]["expression"]
        for part in ("sentinel.dev/requester", "sentinel.dev/approver", "object.spec != oldObject.spec"):
            assert part in asked


def test_only_what_has_an_end_of_its_own_may_be_deleted():
    allowed = rights(by_kind(operator_roles((), KINDS, SETTINGS))["ClusterRole"])
    deleted = {right[1] for right in allowed if right[0] == "sentinel.dev" and right[2] == "delete"}
    assert deleted == {"scanjobs", "actionplans"}


def test_of_nodes_and_pods_the_engine_lists_what_there_is_and_nothing_more():
    allowed = rights(by_kind(operator_roles((), (), SETTINGS))["ClusterRole"])
    seen = {right for right in allowed if right[1] in {"nodes", "pods"}}
    assert seen == {("", "nodes", "list", ""), ("", "pods", "list", "")}
