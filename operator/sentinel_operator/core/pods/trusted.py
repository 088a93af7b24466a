"""Whose signatures are accepted, of an artifact and of the report of a scan: as files and as the pods are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sentinel_operator.api import serving
from sentinel_operator.api.artifact import (
    Authority,
    Keyless,
    KeylessIdentity,
    ModelArtifact,
    ReportSigner,
    RequireScan,
    ServedArtifact,
)
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.api.serving import CONFIG_DIR
from sentinel_operator.core.pods.place import Place


@dataclass(frozen=True, slots=True)
class Trusted:
    """One authority: the field that declares it, below that of the model, and where its material is in a pod."""

    authority: Authority
    field: str
    stem: str
    """Names its volume, and its file."""
    folder: str
    """Where its Secret is mounted."""
    trust_root: str
    """Names the file of its trust root."""

    @property
    def secret_ref(self) -> SecretKeyRef | None:
        """Gives the Secret that holds its key or chain, if one does."""
        holder = self.authority.key or self.authority.certificate
        return holder.secret_ref if holder is not None else None

    @property
    def pem(self) -> str | None:
        """Gives its key or chain, if the spec holds it."""
        holder = self.authority.key or self.authority.certificate
        return holder.pem if holder is not None else None

    def told(self) -> serving.Authority:
        """Gives the authority as the pods know it."""
        name, pem = self.authority.name, self._pem_file()
        if self.authority.key is not None:
            return serving.KeyAuthority(name=name, public_key_file=pem)
        if self.authority.certificate is not None:
            return serving.CertificateAuthority(name=name, chain_file=pem)
        return serving.KeylessAuthority(
            name=name,
            trust_root_file=f"{CONFIG_DIR}/{self.trust_root}",
            identities=tuple(
                serving.Identity(
                    issuer=each.issuer or "",
                    issuer_reg_exp=each.issuer_reg_exp or "",
                    subject=each.subject or "",
                    subject_reg_exp=each.subject_reg_exp or "",
                )
                for each in (self.authority.keyless.identities if self.authority.keyless else ())
            ),
        )

    def _pem_file(self) -> str:
        return f"{self.folder}/authority.pem" if self.secret_ref is not None else f"{CONFIG_DIR}/{self.stem}.pem"


def required_scan(model: ModelArtifact) -> RequireScan | None:
    """Gives the scan without whose report the artifact is not used."""
    return model.require_scan if isinstance(model, ServedArtifact) else None


def of_artifact(model: ModelArtifact, place: Place) -> tuple[Trusted, ...]:
    """Gives who may have signed the artifact."""
    return tuple(
        Trusted(
            authority=authority,
            field=f"verify.authorities[{index}]",
            stem=place.authority(index),
            folder=place.authority_dir(index),
            trust_root=place.trust_root(index),
        )
        for index, authority in enumerate(model.verify.authorities if model.verify else ())
    )


def of_report(model: ModelArtifact, place: Place) -> tuple[Trusted, ...]:
    """Gives who may have signed the report of the scan that is required."""
    required = required_scan(model)
    return tuple(
        Trusted(
            authority=_authority(signer),
            field=f"requireScan.authorities[{index}]",
            stem=place.scan_authority(index),
            folder=place.scan_authority_dir(index),
            trust_root=place.scan_trust_root(index),
        )
        for index, signer in enumerate(required.authorities if required else ())
    )


def everyone(model: ModelArtifact, place: Place) -> Iterator[Trusted]:
    """Yields all of them."""
    yield from of_artifact(model, place)
    yield from of_report(model, place)


def _authority(signer: ReportSigner) -> Authority:
    identity = signer.keyless
    keyless = None
    if identity is not None:
        who = KeylessIdentity(issuer=identity.issuer, subject=identity.subject)
        keyless = Keyless(identities=[who], trust_root=identity.trust_root)
    return Authority(name=signer.name, key=signer.key, keyless=keyless)
