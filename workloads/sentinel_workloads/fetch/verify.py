"""Decides whether the copy on disk may be served: its digest first, then who signed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sentinel_operator.api.serving import ExitCode, FetchConfig, Verification
from sentinel_workloads.fetch.artifact import (
    SIGNATURE_NAME,
    HashedFile,
    UnfitArtifactError,
    digest_of,
    directory_digest,
    hashed_files,
)
from sentinel_workloads.fetch.signature.authority import Judge, verdict
from sentinel_workloads.fetch.signature.comparison import difference
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.signature.bundle import RejectedError

DIGEST_FIELD = "spec.model.digest"
VERIFY_FIELD = "spec.model.verify"


@dataclass(frozen=True, slots=True)
class Copy:
    """What was brought, not yet trusted."""

    folder: Path
    """Holds every file of a directory artifact, or the one file under its own name."""
    single: str
    """Name of the one file; empty for a directory artifact."""
    signature: Path
    """Where the signature lies, if there is one."""

    @classmethod
    def of(cls, folder: Path, *, single: str, beside: Path) -> Copy:
        """A directory carries its signature in itself; that of a single file lies beside."""
        return cls(folder, single, beside if single else folder / SIGNATURE_NAME)

    @property
    def path(self) -> Path:
        """What the digest is taken of."""
        return self.folder / self.single if self.single else self.folder


def verify_copy(copy: Copy, config: FetchConfig, judges: tuple[Judge, ...], *, now: datetime) -> Verification:
    """What was verified, or DigestMismatch or SignatureInvalid. Reads every byte of the copy once."""
    try:
        files = hashed_files(copy.folder)
    except UnfitArtifactError as error:
        raise Failure(ExitCode.InvalidConfig, "spec.model.source", str(error)) from error
    digest = f"sha256:{files[0].sha256}" if copy.single else directory_digest(files)
    if config.digest and digest != config.digest:
        message = f"the artifact's digest is {digest}, not {config.digest}"
        raise Failure(ExitCode.DigestMismatch, DIGEST_FIELD, message)
    at = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if config.verify == "None":
        return Verification(digest=digest, at=at)
    try:
        authority, identity = accepted_by(copy, files, judges)
    except RejectedError as error:
        if config.verify == "Enforce":
            raise Failure(ExitCode.SignatureInvalid, VERIFY_FIELD, str(error)) from error
        return Verification(digest=digest, at=at, warning=str(error))
    return Verification(digest=digest, authority=authority, identity=identity, at=at)


def accepted_by(copy: Copy, files: tuple[HashedFile, ...], judges: tuple[Judge, ...]) -> tuple[str, str]:
    """Name of the first authority that accepts the signature, and the signer; else why each of them does not."""
    if not copy.signature.is_file():
        where = f"no signature lies beside {copy.single}" if copy.single else f"the artifact holds no {SIGNATURE_NAME}"
        raise RejectedError(f"unsigned: {where}")
    reasons = []
    for judge in judges:
        try:
            signed = verdict(judge, copy.signature)
        except RejectedError as error:
            reasons.append(f"{judge.name}: {error}")
            continue
        if not (why := difference(signed.files, files, single=bool(copy.single))):
            return judge.name, signed.identity
        reasons.append(f"{judge.name}: signed by {signed.identity}, but not this content: {why}")
    raise RejectedError("no authority accepts the signature: " + "; ".join(reasons))


def still_is(copy: Copy, digest: str) -> bool:
    """Whether the copy still has the digest that was once verified."""
    try:
        return digest_of(copy.path) == digest
    except (OSError, UnfitArtifactError):
        return False
