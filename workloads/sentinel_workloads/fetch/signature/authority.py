"""The authorities of a fetch: each says who signed a bundle and what, or why it does not accept it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from sentinel_operator.api.serving import (
    Authority,
    CertificateAuthority,
    ExitCode,
    KeyAuthority,
    KeylessAuthority,
)
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.signature.bundle import MAX_BUNDLE_BYTES, RejectedError, material_of

FIELD = "spec.model.verify.authorities"


@dataclass(frozen=True, slots=True)
class Signed:
    """What an accepted signature covers: SHA-256 in hex by path. A file signed alone has the path `.`."""

    files: Mapping[str, str]
    identity: str


class Judge(Protocol):
    """One authority, ready to verify."""

    name: str

    def judge(self, bundle: Path) -> Signed:
        """What was signed and by whom; RejectedError when this authority does not accept it."""
        ...


def load_judges(authorities: tuple[Authority, ...]) -> tuple[Judge, ...]:
    """Every authority with its trust material read; InvalidConfig names the one that cannot be."""
    return tuple(_load(authority, f"{FIELD}[{index}]") for index, authority in enumerate(authorities))


def _load(authority: Authority, field: str) -> Judge:
    try:
        match authority:
            case KeyAuthority():
                from sentinel_workloads.fetch.signature.key import KeyJudge  # noqa: PLC0415 - costs a second

                return KeyJudge(authority.name, Path(authority.public_key_file))
            case CertificateAuthority():
                from sentinel_workloads.fetch.signature.certificate import CertificateJudge  # noqa: PLC0415

                return CertificateJudge(authority.name, Path(authority.chain_file))
            case KeylessAuthority():
                from sentinel_workloads.fetch.signature.keyless import KeylessJudge  # noqa: PLC0415

                return KeylessJudge(authority.name, Path(authority.trust_root_file), authority.identities)
            case _:
                assert_never(authority)
    except Exception as error:
        message = f"authority {authority.name!r} cannot be used: {_reason(error)}"
        raise Failure(ExitCode.InvalidConfig, field, message) from error


def material_in(bundle: Path) -> str:
    """Which verification material the bundle in the file carries."""
    if bundle.stat().st_size > MAX_BUNDLE_BYTES:
        raise RejectedError(f"the signature is larger than {MAX_BUNDLE_BYTES} bytes")
    return material_of(bundle.read_bytes())


def verdict(judge: Judge, bundle: Path) -> Signed:
    """The judge's verdict, where whatever goes wrong on the way is a rejection too: a bundle is foreign input."""
    try:
        return judge.judge(bundle)
    except RejectedError:
        raise
    except Exception as error:
        raise RejectedError(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{Path(error.filename).name}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
