"""Reads fetch.json, and says exactly what is wrong with one that cannot be followed."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from sentinel_operator.api.serving import (
    Authority,
    CertificateAuthority,
    ExitCode,
    FetchConfig,
    KeyAuthority,
    KeylessAuthority,
    ScanRequirement,
)
from sentinel_workloads.objectstore.failures import Failure

SCHEMES = ("s3", "https", "file")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def load_config(path: Path) -> FetchConfig:
    """The configuration, valid in itself; InvalidConfig names the field otherwise."""
    try:
        config = FetchConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Failure(ExitCode.InvalidConfig, "", f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'JSON'}: {item['msg']}" for item in error.errors())
        raise Failure(ExitCode.InvalidConfig, "", f"{path.name}: {problems}") from error
    check(config)
    return config


def check(config: FetchConfig) -> None:
    """Refuses what no fetch could follow."""
    if (scheme := urlsplit(config.uri).scheme) not in SCHEMES:
        message = f"the artifact's address must begin with s3://, https:// or file:///, not {scheme or 'nothing'}"
        raise Failure(ExitCode.InvalidConfig, "spec.model.source", message)
    if config.digest and not DIGEST.fullmatch(config.digest):
        message = f"{config.digest!r} is not sha256: and 64 hexadecimal digits"
        raise Failure(ExitCode.InvalidConfig, "spec.model.digest", message)
    if config.verify != "None" and not config.authorities:
        message = "a signature is wanted, but no authority is given whose signature would do"
        raise Failure(ExitCode.InvalidConfig, "spec.model.verify.authorities", message)
    if config.require_scan is not None:
        _check_scan(config.require_scan)


def _check_scan(required: ScanRequirement) -> None:
    field = "spec.model.requireScan"
    if not required.authorities:
        message = "the report of a scan is wanted, but no authority is given whose signature would do"
        raise Failure(ExitCode.InvalidConfig, f"{field}.authorities", message)
    if not required.uri.startswith("s3://"):
        message = f"the report's address must begin with s3://, not {required.uri[:50]!r}"
        raise Failure(ExitCode.InvalidConfig, f"{field}.report.uri", message)
    if required.dataset_digest and not DIGEST.fullmatch(required.dataset_digest):
        message = f"{required.dataset_digest!r} is not sha256: and 64 hexadecimal digits"
        raise Failure(ExitCode.InvalidConfig, f"{field}.datasetDigest", message)


def fingerprint(config: FetchConfig) -> str:
    """Equal for configurations that would verify the same artifact in the same way, trust material included."""
    seen = hashlib.sha256(config.model_dump_json().encode())
    for authority in (*config.authorities, *(config.require_scan.authorities if config.require_scan else ())):
        try:
            seen.update(hashlib.sha256(_trust_material(authority).read_bytes()).digest())
        except OSError:
            seen.update(b"unreadable")  # its own error follows when the authority is loaded
    return seen.hexdigest()


def _trust_material(authority: Authority) -> Path:
    match authority:
        case KeyAuthority():
            return Path(authority.public_key_file)
        case CertificateAuthority():
            return Path(authority.chain_file)
        case KeylessAuthority():
            return Path(authority.trust_root_file)
