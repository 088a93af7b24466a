"""What the ConfigMap wants, or, where there is none, what the pod's own configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sentinel_operator.api.active import ACTIVE_FILE, ActiveConfig, RevisionConfig
from sentinel_operator.api.serving import ExitCode, ServingConfig
from sentinel_workloads.fetch.config import load_config
from sentinel_workloads.objectstore.failures import Failure


def wanted_of(config_map: dict[str, Any]) -> ActiveConfig:
    """Reads a ConfigMap; InvalidConfig says what is wrong with it."""
    name = (config_map.get("metadata") or {}).get("name", "")
    text = (config_map.get("data") or {}).get(ACTIVE_FILE)
    if text is None:
        raise Failure(ExitCode.InvalidConfig, "", f"ConfigMap {name} has no key {ACTIVE_FILE}")
    try:
        return ActiveConfig.model_validate_json(text)
    except ValidationError as error:
        raise Failure(ExitCode.InvalidConfig, "", f"ConfigMap {name}: {_problems(error)}") from error


def own(fetch_file: Path, serving_file: Path) -> ActiveConfig:
    """The revision that the pod was made for, as the only one."""
    try:
        serving = ServingConfig.model_validate_json(serving_file.read_bytes())
        revision = RevisionConfig(fetch=load_config(fetch_file), serving=serving)
        return ActiveConfig(serial=0, active=serving.revision, revisions=(revision,))
    except OSError as error:
        message = f"{serving_file} cannot be read: {error.strerror}"
        raise Failure(ExitCode.InvalidConfig, "", message) from error
    except ValidationError as error:
        raise Failure(ExitCode.InvalidConfig, "", f"{serving_file.name}: {_problems(error)}") from error


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'JSON'}: {item['msg']}" for item in error.errors())
