"""`make demo`: from nothing to signed models that answer, and to changes of them that policies let pass."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from demo import client, install, objectstore, plans, report, scanning
from demo.delivery import asked_without_pause, deliver_two
from demo.install import NAMESPACE
from demo.load import Load, Tally
from demo.models.build import build
from demo.portforward import port_forward
from demo.proposing import install_bridge
from demo.stages import Stages
from devcluster import providers
from devcluster.errors import DevclusterError
from devcluster.paths import REPOSITORY, cache
from devcluster.providers import AnyCluster

FLOWS, TEXTS = "qos-flow-classifier", "injection-classifier"
EXAMPLES = REPOSITORY / "examples"
NODES = 2
"""One can be drained."""
_SHOWN = 8


def main() -> int:
    """Runs the demo; gives 1 with a sentence when a stage fails."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--cluster", default="auto", choices=providers.NAMES, help="where it runs")
    given = parser.parse_args()
    stages = Stages()
    try:
        run(stages, provider=given.cluster)
    except (DevclusterError, RuntimeError) as error:
        stages.console.print(f"\n[bold red]The demo did not finish:[/] {error}", markup=True)
        return 1
    return 0


def run(stages: Stages, *, provider: str) -> None:
    """Runs every stage in turn and prints a summary."""
    artifacts = cache("demo")
    with stages.stage("A real Kubernetes"):
        cluster = providers.open_cluster(provider, name="demo", nodes=NODES, say=stages.say)
    with stages.stage("Images"):
        install.bring_images(cluster, stages.say, names=install.NEEDED)
    with stages.stage("Two models, trained, exported to ONNX and signed"):
        build(artifacts, say=stages.say)
    with stages.stage("The operator"):
        install.install_operator(cluster)
    with stages.stage("An object store with the signed models in it"):
        store = install.install_store(cluster)
        _upload(cluster, store, artifacts, stages)
    with stages.stage("kubectl apply -f examples/"):
        install.make_namespace(cluster, store=store, public_key=artifacts / "keys" / "signing.pub")
        served = _serve(cluster, stages)
    with stages.stage("Real requests"):
        _ask(cluster, artifacts, stages)
    with stages.stage("A corpus scanned, quarantined and attested; its report verified by two tools"):
        scanned = scanning.scan_corpus(cluster, store=store, folder=cache("demo", "scanned"), say=stages.say)
        stages.console.print(scanning.verdicts_table(scanned))
        scanning.verify(scanned, corpus=cache("demo", "scanned", "corpus"), say=stages.say)
        stages.say(f"its page: {scanned.folder / 'report' / 'report.html'}")
    with stages.stage("A tampered model, declared in place of the good one"):
        _tamper(cluster, store, artifacts, stages)
    nodes = install.Nodes.of(cluster)
    with asked_without_pause(cluster, FLOWS, node=nodes.with_store) as load:
        with stages.stage("A good version and a bad one, delivered as canaries under real requests"):
            example, index = EXAMPLES / f"{FLOWS}.yaml", artifacts / "index.json"
            got = deliver_two(cluster, example=example, index=index, load=load, say=stages.say)
            _lossless(got, stages)
        with stages.stage("A person and a brain propose, policies dispose"):
            before = load.tally()
            _propose(cluster, nodes, load, stages)
            _lossless(load.tally().since(before), stages)
    stages.console.print()
    stages.console.print(report.status_table(served))
    stages.console.print()
    stages.console.print(stages.table())
    kubectl = " ".join(cluster.kubectl_command)
    stages.console.print(
        f"\nLook around: [bold]{kubectl} -n {NAMESPACE} get sm -o wide[/]\nRemove it:   [bold]make down[/]"
    )


def _propose(cluster: AnyCluster, nodes: install.Nodes, load: Load, stages: Stages) -> None:
    install_bridge(cluster)
    plans.measurable(cluster, load)
    made = plans.Proposals.open(
        cluster, model=FLOWS, folder=cache("demo", "brain"), node=nodes.with_store, say=stages.say
    )
    plans.go_through(made, load=load, node=nodes.to_drain)
    points = made.brain.told()["points"]
    stages.say(f"meanwhile the brain was told {sum(points.values()):,} points of {len(points)} kinds")
    for said in (made.explained("save"), made.table()):
        stages.console.print(f"\n{said}", markup=False, soft_wrap=True)


def _lossless(got: Tally, stages: Stages) -> None:
    stages.say(f"{sum(got.versions.values()):,} answers by version: {dict(got.versions)}; {got.failed} failed")
    if got.failed:
        raise RuntimeError(f"requests were lost: {got.failures}")


def _upload(cluster: AnyCluster, store: install.Store, artifacts: Path, stages: Stages) -> None:
    with install.store_forwarded(cluster) as endpoint:
        for model in json.loads((artifacts / "index.json").read_text())["models"]:
            size = asyncio.run(
                objectstore.upload(
                    endpoint=endpoint,
                    credentials=store.writer,
                    folder=artifacts / model["path"],
                    prefix=model["path"],
                )
            )
            stages.say(f"s3://{objectstore.BUCKET}/{model['path']}/  {size / 1e6:.1f} MB  {model['digest'][:19]}…")


def _serve(cluster: AnyCluster, stages: Stages) -> list[dict[str, Any]]:
    for name in (FLOWS, TEXTS):
        _apply(cluster, (EXAMPLES / f"{name}.yaml").read_text())
    served = [install.await_condition(cluster, name, status="True") for name in (FLOWS, TEXTS)]
    for item in served:
        stages.say(f"{item['metadata']['name']}: {install.ready_of(item)['message']}")
    return served


def _ask(cluster: AnyCluster, artifacts: Path, stages: Stages) -> None:
    flows, texts = _samples(artifacts, FLOWS), _samples(artifacts, TEXTS)
    kubectl = cluster.kubectl_command
    with port_forward(kubectl, namespace=NAMESPACE, target=f"svc/{FLOWS}", ports=[8080, 8081]) as (http, grpc):
        rows = [list(sample["features"].values()) for sample in flows]
        over_http = client.infer_http(f"127.0.0.1:{http}", FLOWS, rows)
        over_grpc = client.infer_grpc(f"127.0.0.1:{grpc}", FLOWS, rows)
        if not np.array_equal(over_http, over_grpc):
            raise RuntimeError("HTTP and gRPC gave different answers to the same flows")
        stages.say(f"tritonclient: {len(rows)} flows over HTTP and over gRPC, the same probabilities {over_http.shape}")
        answers = [_answer(f"http://127.0.0.1:{http}", sample, "features") for sample in flows[:_SHOWN]]
    stages.console.print(report.answers_table("Flows by POST /v1/predict", answers))
    with port_forward(kubectl, namespace=NAMESPACE, target=f"svc/{TEXTS}", ports=[8080]) as (http,):
        answers = [_answer(f"http://127.0.0.1:{http}", sample, "text") for sample in texts[:_SHOWN]]
    stages.console.print(report.answers_table("Texts by POST /v1/predict", answers))


def _answer(url: str, sample: dict[str, Any], field: str) -> client.Answer:
    given = sample[field]
    shown = given if isinstance(given, str) else f"{given['avg_pkt_len']:.0f} B packets, {_rate(given)}/s"
    return client.answer_of(client.predict(url, {field: given}), given=shown, expected=sample["label"])


def _rate(flow: dict[str, float]) -> str:
    return f"{flow['flow_bytes_per_sec'] / 1000:,.1f} kB"


def _tamper(cluster: AnyCluster, store: install.Store, artifacts: Path, stages: Stages) -> None:
    """Changes one byte of the newer version in the store, declares it, and shows that the former goes on serving."""
    newer = next(
        model
        for model in json.loads((artifacts / "index.json").read_text())["models"]
        if model["name"] == FLOWS and model["version"] != "1.0.0"
    )
    folder = cache("demo", "tampered", newer["version"])
    for file in (artifacts / newer["path"]).iterdir():
        content = bytearray(file.read_bytes())
        if file.name == "model.onnx":
            content[-1] ^= 1
        (folder / file.name).write_bytes(content)
    prefix = f"{FLOWS}/{newer['version']}-tampered"
    with install.store_forwarded(cluster) as endpoint:
        asyncio.run(objectstore.upload(endpoint=endpoint, credentials=store.writer, folder=folder, prefix=prefix))
    example = (EXAMPLES / f"{FLOWS}.yaml").read_text()
    declared = example.replace("version: 1.0.0", f"version: {newer['version']}")
    declared = declared.replace(f"{FLOWS}/1.0.0/", f"{prefix}/")
    without_digest = "\n".join(line for line in declared.splitlines() if not line.strip().startswith("digest: "))
    _apply(cluster, without_digest)
    refused = install.await_condition(cluster, FLOWS, status="False", reasons=("RevisionRejected",))
    stages.say(f"[yellow]{install.ready_of(refused)['message']}[/]")
    with port_forward(cluster.kubectl_command, namespace=NAMESPACE, target=f"svc/{FLOWS}", ports=[8080]) as (http,):
        answer = client.predict(f"http://127.0.0.1:{http}", {"features": _samples(artifacts, FLOWS)[0]["features"]})
    stages.say(f"still answering, from version {answer['model']['version']}")  # type: ignore[index]
    _apply(cluster, example)
    install.await_condition(cluster, FLOWS, status="True")
    stages.say("the good one declared again: ready")


def _apply(cluster: AnyCluster, manifest: str) -> None:
    cluster.kubectl("apply", f"--namespace={NAMESPACE}", "-f", "-", text=manifest)


def _samples(artifacts: Path, model: str) -> list[dict[str, Any]]:
    samples: list[dict[str, Any]] = json.loads((artifacts / "samples" / model / "1.0.0" / "samples.json").read_text())[
        "samples"
    ]
    return samples


if __name__ == "__main__":
    sys.exit(main())
