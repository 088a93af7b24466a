"""Reads from a verified statement which files were signed."""

from __future__ import annotations

from collections.abc import Mapping

from model_signing.manifest import Manifest

from sentinel_workloads.signature.bundle import RejectedError

SERIALIZATION = {"method": "files", "hash_type": "sha256"}


def signed_files(manifest: Manifest) -> Mapping[str, str]:
    """SHA-256 in hex by path, of model-signing's default way to write a model down."""
    kind = manifest.serialization_type
    if any(kind.get(key) != value for key, value in SERIALIZATION.items()):
        raise RejectedError(
            f"signed as {kind.get('method')} by {kind.get('hash_type')}; files by sha256 are understood"
        )
    files: dict[str, str] = {}
    for descriptor in manifest.resource_descriptors():
        if descriptor.digest.algorithm != "sha256" or descriptor.identifier in files:
            raise RejectedError(f"the signed list of files is ambiguous at {descriptor.identifier!r}")
        files[descriptor.identifier] = descriptor.digest.digest_hex
    return files
