"""An artifact that a pod is given before it begins: the files that say what to bring, and what a spec names for it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from sentinel_operator.api import serving
from sentinel_operator.api.artifact import ModelArtifact
from sentinel_operator.api.fields import quantity
from sentinel_operator.api.pod import ConfigMapKeyRef
from sentinel_operator.api.serving import CONFIG_DIR
from sentinel_operator.core.pods.mentions import Contents, Mention
from sentinel_operator.core.pods.place import Place
from sentinel_operator.core.pods.trusted import everyone, of_artifact, of_report, required_scan


def fetch_config(model: ModelArtifact, place: Place) -> serving.FetchConfig:
    """Gives the file that says what to bring, what it must be, and who must have signed it."""
    verify, cache = model.verify, model.cache
    cached = cache is not None and cache.type != "None"
    return serving.FetchConfig(
        uri=_uri(model, place),
        digest=model.digest or "",
        max_bytes=int(quantity(model.max_bytes)),
        object_store=_store_access(model, place),
        verify=verify.mode if verify else "None",
        authorities=tuple(each.told() for each in of_artifact(model, place)),
        require_scan=_scan_requirement(model, place),
        cache_dir=place.cache_dir if cached else "",
        cache_max_bytes=int(quantity(cache.max_bytes)) if cache is not None and cached else 0,
    )


def trust_files(model: ModelArtifact, place: Place, contents: Contents) -> dict[str, str]:
    """Gives the files beside it: what signatures and stores are trusted by."""
    files: dict[str, str] = {}
    for trusted in everyone(model, place):
        if trusted.pem:
            files[f"{trusted.stem}.pem"] = trusted.pem
        if trusted.authority.keyless is not None:
            files[trusted.trust_root] = contents.text(trusted.authority.keyless.trust_root)
    required = required_scan(model)
    if required is not None and (report := required.report).ca_bundle is not None:
        files[place.scan_ca_file] = contents.text(report.ca_bundle.config_map_ref)
    store, https = model.source.object_store, model.source.https
    if store is not None and store.ca_bundle is not None:
        files[place.ca_file] = contents.text(store.ca_bundle.config_map_ref)
    if https is not None and https.ca_bundle is not None:
        files[place.ca_file] = contents.text(https.ca_bundle)
    return files


def _uri(model: ModelArtifact, place: Place) -> str:
    source = model.source
    match source.type:
        case "ObjectStore":
            return source.object_store.uri if source.object_store else ""
        case "Https":
            return source.https.url if source.https else ""
        case "Pvc":
            return _file(source.pvc.path, place) if source.pvc else ""
        case "Image":
            return _file(source.image.path.rstrip("/").rpartition("/")[2], place) if source.image else ""


def _file(path: str, place: Place) -> str:
    return "file://" + quote(f"{place.source_dir}/{path}")


def _scan_requirement(model: ModelArtifact, place: Place) -> serving.ScanRequirement | None:
    required = required_scan(model)
    if required is None:
        return None
    report = required.report
    return serving.ScanRequirement(
        uri=report.uri,
        object_store=serving.ObjectStoreAccess(
            endpoint=report.endpoint.rstrip("/"),
            region=report.region,
            ca_file=f"{CONFIG_DIR}/{place.scan_ca_file}" if report.ca_bundle is not None else "",
        ),
        credentials_dir=place.scan_credentials_dir if report.credentials_secret_ref is not None else "",
        dataset_digest=required.dataset_digest or "",
        verdict=required.verdict,
        authorities=tuple(each.told() for each in of_report(model, place)),
    )


def _store_access(model: ModelArtifact, place: Place) -> serving.ObjectStoreAccess:
    store, https = model.source.object_store, model.source.https
    trusted = f"{CONFIG_DIR}/{place.ca_file}"
    if store is not None:
        return serving.ObjectStoreAccess(
            endpoint=store.endpoint.rstrip("/"), region=store.region, ca_file=trusted if store.ca_bundle else ""
        )
    return serving.ObjectStoreAccess(ca_file=trusted if https is not None and https.ca_bundle is not None else "")


def config_maps(model: ModelArtifact, field: str) -> Iterator[tuple[str, ConfigMapKeyRef]]:
    """Yields every key of a ConfigMap that is copied, with the field that names it."""
    source = model.source
    if source.object_store is not None and source.object_store.ca_bundle is not None:
        yield f"{field}.source.objectStore.caBundle.configMapRef", source.object_store.ca_bundle.config_map_ref
    if source.https is not None and source.https.ca_bundle is not None:
        yield f"{field}.source.https.caBundle", source.https.ca_bundle
    required = required_scan(model)
    if required is not None and (report := required.report).ca_bundle is not None:
        yield f"{field}.requireScan.report.caBundle.configMapRef", report.ca_bundle.config_map_ref
    for trusted in everyone(model, Place()):
        if trusted.authority.keyless is not None:
            yield f"{field}.{trusted.field}.keyless.trustRoot", trusted.authority.keyless.trust_root


def secrets(model: ModelArtifact, field: str) -> Iterator[Mention]:
    """Yields every Secret that the pod needs for it."""
    store = model.source.object_store
    if store is not None and store.credentials_secret_ref is not None:
        yield Mention(f"{field}.source.objectStore.credentialsSecretRef", store.credentials_secret_ref.name)
    required = required_scan(model)
    if required is not None and (report := required.report).credentials_secret_ref is not None:
        yield Mention(f"{field}.requireScan.report.credentialsSecretRef", report.credentials_secret_ref.name)
    for trusted in everyone(model, Place()):
        if trusted.secret_ref is not None:
            kind = "key" if trusted.authority.key is not None else "certificate"
            ref = trusted.secret_ref
            yield Mention(f"{field}.{trusted.field}.{kind}.secretRef", ref.name, ref.key)


def claims(model: ModelArtifact, field: str) -> Iterator[Mention]:
    """Yields every PersistentVolumeClaim that the pod needs for it."""
    if model.source.pvc is not None:
        yield Mention(f"{field}.source.pvc.claimName", model.source.pvc.claim_name)
    if model.cache is not None and model.cache.claim_name is not None:
        yield Mention(f"{field}.cache.claimName", model.cache.claim_name)
