"""The verified copy on disk: proof that it was verified, and the one ONNX file in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from sentinel_operator.api.serving import VERIFIED, ExitCode, ServingConfig, Verification
from sentinel_workloads.model_server.unservable import Unservable

PREFERRED = "model.onnx"


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is served and what is known of it."""

    directory: Path
    model: Path
    verification: Verification


def open_artifact(config: ServingConfig) -> Artifact:
    """Gives the artifact, only if fetch said that it verified it and it is the one that the revision names."""
    directory = Path(config.model_dir)
    verification = _verification(directory.parent / VERIFIED)
    if config.model_digest and verification.digest != config.model_digest:
        raise Unservable(
            ExitCode.DigestMismatch,
            f"the verified copy has digest {verification.digest}, this revision serves {config.model_digest}",
            field="spec.model.digest",
        )
    return Artifact(directory=directory, model=find_model(directory), verification=verification)


def find_model(directory: Path) -> Path:
    """Gives model.onnx at the root, or else the only ONNX file at the root, or else the only one below."""
    if (preferred := directory / PREFERRED).is_file():
        return preferred
    for found in (sorted(directory.glob("*.onnx")), sorted(directory.rglob("*.onnx"))):
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(path.relative_to(directory)) for path in found[:5])
            raise _unreadable(f"the artifact holds {len(found)} ONNX files ({names}), none of them {PREFERRED}")
    raise _unreadable("the artifact holds no file that ends in .onnx")


def _unreadable(message: str) -> Unservable:
    return Unservable(ExitCode.ModelUnreadable, message, field="spec.model.source")


def _verification(path: Path) -> Verification:
    try:
        return Verification.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        message = f"{path} is missing: nothing was verified, nothing is served"
    except (OSError, ValidationError) as error:
        message = f"{path} cannot be read: {error}"
    raise Unservable(ExitCode.InvalidConfig, message, field="spec.model.verify")
