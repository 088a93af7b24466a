"""Why a container does not do its work, as a reason, the field to look at, and whether waiting can help."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

REFERENCE_NOT_FOUND = "ReferenceNotFound"
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"})
_UNMADE = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_STARTING = frozenset({"ContainerCreating", "PodInitializing", "CrashLoopBackOff", ""})
_MISSING = (
    re.compile(r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found', re.IGNORECASE),
    re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) [^/\s]*/(?P<name>\S+)"),
)
_TRACEBACK = "Traceback (most recent call last)"
_QUOTE_LIMIT = 512


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What keeps a pod from serving. `terminal`: only the user can help, and nothing happens until they do."""

    reason: str
    message: str
    terminal: bool = False

    @property
    def rank(self) -> tuple[bool, str, str]:
        """Orders faults so that the one which a person has to see comes first, whatever pod shows it."""
        return (not self.terminal, self.reason, self.message)


FieldOf = Callable[[str], str]
"""Gives the field of the spec that names a Secret or ConfigMap, or an empty string."""
Ended = Callable[[str, Mapping[str, Any]], Fault]
"""Says what it means that a container, given by name, has ended as it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What one kind says of the containers of its pods."""

    ended: Ended
    field_of: FieldOf = lambda _: ""
    images: Mapping[str, str] = field(default_factory=dict)
    """The field that names each container's image."""


def pod_fault(pod: Mapping[str, Any], words: Words) -> Fault | None:
    """Gives the first thing that keeps a pod from doing its work; None while it is merely starting."""
    status = pod.get("status") or {}
    return _unscheduled(status) or next(_container_faults(status, words), None)


def _unscheduled(status: Mapping[str, Any]) -> Fault | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Fault(str(condition.get("reason") or "Unschedulable"), quoted(condition.get("message")))
    return None


def _container_faults(status: Mapping[str, Any], words: Words) -> Iterator[Fault]:
    containers = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    for container in containers:
        fault = container_fault(container, words)
        if fault is not None:
            yield fault


def container_fault(container: Mapping[str, Any], words: Words) -> Fault | None:
    """Reads one container status. What ended a container counts until it runs well: between two attempts, and while
    the next one runs, the reason stays the same."""
    name, state = str(container.get("name", "")), container.get("state") or {}
    if container.get("ready") or (state.get("terminated") or {}).get("exitCode") == 0:
        return None
    waiting = state.get("waiting")
    if waiting is not None and waiting.get("reason", "") not in _STARTING:
        return _waiting_fault(name, waiting, image=str(container.get("image", "")), words=words)
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
    return words.ended(name, ended) if ended and ended.get("exitCode") != 0 else None


def _waiting_fault(name: str, waiting: Mapping[str, Any], *, image: str, words: Words) -> Fault:
    reason, message = str(waiting["reason"]), str(waiting.get("message") or "")
    named = words.images.get(name, "")
    if reason in _PULL:
        # The kubelet's own words change at each attempt; `kubectl describe pod` has them.
        return Fault("ImagePullBackOff", at(named, f"image {image} cannot be pulled"))
    if reason == "InvalidImageName":
        return Fault(reason, at(named, f"{image!r} is not the name of an image"), terminal=True)
    if reason in _UNMADE:
        return _missing_reference(message, words.field_of) or Fault(reason, quoted(message))
    return Fault(reason, quoted(f"container {name}: {message}"))


def _missing_reference(message: str, field_of: FieldOf) -> Fault | None:
    for pattern in _MISSING:
        match = pattern.search(message)
        if match is None:
            continue
        kind = {"secret": "Secret", "configmap": "ConfigMap"}[match["kind"].lower()]
        key = match.groupdict().get("key")
        lacks = f"{kind} {match['name']} has no key {key}" if key else f"{kind} {match['name']} does not exist"
        return Fault(REFERENCE_NOT_FOUND, at(field_of(match["name"]), lacks))
    return None


def out_of_memory(name: str, ended: Mapping[str, Any], *, limit: str) -> Fault | None:
    """Tells a container that was killed for its memory; `limit` is the field that bounds it."""
    if ended.get("reason") != "OOMKilled":
        return None
    return Fault("OOMKilled", at(limit, f"container {name} needed more memory than its limit"))


def crashed(name: str, ended: Mapping[str, Any]) -> Fault:
    """Tells a container that ended as it never should."""
    said = f": {quoted(conclusion(message))}" if (message := str(ended.get("message") or "")).strip() else ""
    return Fault("CrashLoopBackOff", f"container {name} ended with exit code {int(ended.get('exitCode', 0))}{said}")


def at(field: str, message: str) -> str:
    """Puts the field before what is said of it."""
    return f"{field}: {message}" if field and not message.startswith(f"{field}:") else message


def conclusion(log: str) -> str:
    """Gives what the end of a log comes to: of a Python traceback the exception with its message, else the last line.

    The kubelet hands over the end of the log where a container left no word of its own.
    """
    lines = log.rstrip().splitlines()
    traceback = max((number for number, line in enumerate(lines) if line.startswith(_TRACEBACK)), default=None)
    if traceback is not None:
        for number in range(traceback + 1, len(lines)):
            if lines[number] and not lines[number][0].isspace():
                return "\n".join(lines[number:])
    return lines[-1].strip() if lines else ""


def quoted(message: object) -> str:
    """Gives a message of somebody else's on one line and within bounds."""
    text = " ".join(str(message or "").split())
    return text if len(text) <= _QUOTE_LIMIT else f"{text[: _QUOTE_LIMIT - 1]}…"
