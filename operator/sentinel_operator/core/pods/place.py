"""Where the parts of an artifact are in a pod that is given one, or more of them."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_operator.api.serving import CACHE_DIR, FETCH_FILE, MODEL_DIR, SECRETS_DIR


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of one artifact in a pod. `suffix` tells it from others in the same pod."""

    field: str = "spec.model"
    suffix: str = ""
    folder: str = MODEL_DIR
    """Where the verified copy lies."""

    @property
    def fetch(self) -> str:
        """Names the container that brings it."""
        return f"fetch{self.suffix}"

    @property
    def source(self) -> str:
        """Names the container that copies a baked-in artifact out of its image, and the volume that it is left in."""
        return f"source{self.suffix}"

    @property
    def source_dir(self) -> str:
        """Where a claim is mounted, or an image's container leaves its copy."""
        return f"/var/run/sentinel/source{self.suffix}"

    @property
    def volume(self) -> str:
        """Names the volume of the verified copy."""
        return f"model{self.suffix}"

    @property
    def cache_dir(self) -> str:
        """Where the cache is mounted."""
        return f"{CACHE_DIR}{self.suffix}"

    @property
    def config_file(self) -> str:
        """Names the file that says what to bring."""
        stem, dot, end = FETCH_FILE.partition(".")
        return f"{stem}{self.suffix}{dot}{end}"

    @property
    def ca_file(self) -> str:
        """Names the file of the certificates that its store is trusted by."""
        return f"ca-bundle{self.suffix}.pem"

    def authority(self, index: int) -> str:
        """Names an authority's volume, and the stem of its file."""
        return f"authority{self.suffix}-{index}"

    def authority_dir(self, index: int) -> str:
        """Where the Secret of an authority is mounted."""
        return f"{SECRETS_DIR}/{self.authority(index)}"

    @property
    def scan_credentials(self) -> str:
        """Names the volume of the credentials by which the report of a scan is read."""
        return f"scan-credentials{self.suffix}"

    @property
    def scan_credentials_dir(self) -> str:
        """Where they are mounted."""
        return f"{SECRETS_DIR}/{self.scan_credentials}"

    @property
    def scan_ca_file(self) -> str:
        """Names the file of the certificates that the report's store is trusted by."""
        return f"scan-ca-bundle{self.suffix}.pem"

    def scan_authority(self, index: int) -> str:
        """Names the volume, and the stem of the file, of one that may have signed the report of a scan."""
        return f"scan-authority{self.suffix}-{index}"

    def scan_authority_dir(self, index: int) -> str:
        """Where its Secret is mounted."""
        return f"{SECRETS_DIR}/{self.scan_authority(index)}"

    def scan_trust_root(self, index: int) -> str:
        """Names the file of its trust root."""
        return f"scan-trust-root{self.suffix}-{index}.json"

    def trust_root(self, index: int) -> str:
        """Names the file of a keyless authority's trust root."""
        return f"trust-root{self.suffix}-{index}.json"
