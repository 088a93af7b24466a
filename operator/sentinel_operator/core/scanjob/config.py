"""The data of a ScanJob's ConfigMap: everything that its pods read, complete in itself."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sentinel_operator.api import scanning
from sentinel_operator.api.artifact import ModelArtifact
from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import quantity, seconds
from sentinel_operator.api.scanjob import ScanCache, ScanJobSpec
from sentinel_operator.api.scanning import CLASSIFIER_DIR, EMBEDDING_DIR, SCAN_FILE, SIGNING_DIR, TOKEN_FILE, ScanConfig
from sentinel_operator.api.sentinelconfig import Prices
from sentinel_operator.api.serving import ARTIFACT, CONFIG_DIR
from sentinel_operator.core.hashing import canonical_json
from sentinel_operator.core.names import Owner
from sentinel_operator.core.pods.artifact import fetch_config, trust_files
from sentinel_operator.core.pods.containers import resources
from sentinel_operator.core.pods.mentions import Contents
from sentinel_operator.core.pods.place import Place
from sentinel_operator.core.scanjob.stores import as_store, prefix, stores

EMBEDDING = Place(field="spec.detectors.embedding.model", suffix="-embedding", folder=EMBEDDING_DIR)
CLASSIFIER = Place(field="spec.detectors.classifier.model", suffix="-classifier", folder=CLASSIFIER_DIR)
KEY_FILE = "private.pem"
TRUST_CONFIG_FILE = "trust_config.json"
_GIB = Decimal(1024**3)
_NO_TTL: str = ScanCache.model_fields["ttl"].default


def artifacts(spec: ScanJobSpec) -> Iterator[tuple[ModelArtifact, Place]]:
    """Yields the models that judge, and where they are in a pod."""
    if spec.detectors.embedding is not None:
        yield spec.detectors.embedding.model, EMBEDDING
    if spec.detectors.classifier is not None:
        yield spec.detectors.classifier.model, CLASSIFIER


def root(spec: ScanJobSpec, owner: Owner) -> str:
    """Names the folder of this ScanJob, and of no namesake of it."""
    return f"{prefix(spec.output.object_store.uri)}{owner.namespace}.{owner.name}-{owner.uid[:8]}/"


def config_data(
    spec: ScanJobSpec, *, owner: Owner, contents: Contents, prices: Prices | None, requested: tuple[str, str]
) -> dict[str, str]:
    """Gives every file; the same spec and contents give the same bytes. `requested` is by whom and when."""
    config = scan_config(spec, owner=owner, prices=prices, requested=requested)
    files = {SCAN_FILE: _text(config)}
    for named in stores(spec):
        if named.store.ca_bundle is not None:
            files[named.ca_file] = contents.text(named.store.ca_bundle.config_map_ref)
    keyless = spec.signing.keyless if spec.signing is not None else None
    if keyless is not None and keyless.trust_config is not None:
        files[TRUST_CONFIG_FILE] = contents.text(keyless.trust_config)
    for model, place in artifacts(spec):
        files |= {place.config_file: _text(fetch_config(model, place)), **trust_files(model, place, contents)}
    return files


def scan_config(spec: ScanJobSpec, *, owner: Owner, prices: Prices | None, requested: tuple[str, str]) -> ScanConfig:
    """Gives `scan.json`."""
    found = {named.name: named for named in stores(spec)}
    quarantine, cache, provenance = (found.get(name) for name in ("quarantine", "cache", "provenance"))
    thresholds = spec.detectors.thresholds
    by, at = requested
    return ScanConfig(
        name=owner.name,
        namespace=owner.namespace,
        uid=owner.uid,
        requested_by=by,
        requested_at=at,
        source=as_store(found["source"]),
        reading=_reading(spec),
        output=as_store(found["output"], uri=root(spec, owner)),
        clean_manifest=spec.output.clean_manifest,
        quarantine=as_store(quarantine, uri=prefix(quarantine.store.uri)) if quarantine else None,
        quarantine_mode=spec.quarantine.mode if spec.quarantine is not None else "None",
        cache=as_store(cache, uri=prefix(cache.store.uri)) if cache else None,
        cache_ttl_seconds=int(seconds(spec.cache.ttl))
        if spec.cache
        else ScanConfig.model_fields["cache_ttl_seconds"].default,
        provenance=as_store(provenance) if provenance else None,
        heuristics=spec.detectors.heuristics,
        embedding_dir=f"{EMBEDDING_DIR}/{ARTIFACT}" if spec.detectors.embedding else "",
        classifier_dir=f"{CLASSIFIER_DIR}/{ARTIFACT}" if spec.detectors.classifier else "",
        thresholds=scanning.Thresholds(quarantine=thresholds.quarantine, elevated=thresholds.elevated),
        shards=spec.shards or 0,
        batch_size=spec.batch_size,
        threads=threads(spec),
        signing=_signing(spec),
        webhook=spec.on_finished.webhook or "",
        price_per_hour=price_per_hour(spec, prices),
    )


def threads(spec: ScanJobSpec) -> int:
    """Gives as many threads as a pod may have whole CPUs, and one at least."""
    asked = resources(spec.pod)
    cpu = asked.get("limits", {}).get("cpu") or asked.get("requests", {}).get("cpu") or "1"
    return max(1, int(quantity(cpu)))


def price_per_hour(spec: ScanJobSpec, prices: Prices | None) -> float:
    """Gives what a pod costs an hour by what it requests; 0 where no price is known."""
    if prices is None:
        return 0.0
    asked = resources(spec.pod)
    of = {name: asked.get("requests", {}).get(name) or asked.get("limits", {}).get(name) for name in ("cpu", "memory")}
    cpu, memory = (quantity(of[name] or 0) for name in ("cpu", "memory"))
    whole = cpu * Decimal(str(prices.cpu_hour)) + memory / _GIB * Decimal(str(prices.memory_gib_hour))
    return float(round(whole, 9))


def _reading(spec: ScanJobSpec) -> scanning.Reading:
    source = spec.source
    return scanning.Reading(
        format=source.format,
        text_field=source.text_field,
        id_field=source.id_field,
        label_field=source.label_field,
        max_document_bytes=int(quantity(source.max_document_bytes)),
    )


def _signing(spec: ScanJobSpec) -> scanning.Signing:
    signing = spec.signing
    if signing is None:
        return scanning.Signing()
    if signing.key is not None:
        return scanning.Signing(type="Key", key_file=f"{SIGNING_DIR}/{KEY_FILE}")
    trusted = signing.keyless is not None and signing.keyless.trust_config is not None
    return scanning.Signing(
        type="Keyless",
        trust_config_file=f"{CONFIG_DIR}/{TRUST_CONFIG_FILE}" if trusted else "",
        token_file=TOKEN_FILE,
    )


def _text(config: Model) -> str:
    return canonical_json(config.model_dump(mode="json", by_alias=True)).decode()
