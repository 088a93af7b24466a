"""The metrics that the operator, the bridge, the model server and the pods of a scan really expose."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from sentinel_operator.api.serving import ServingConfig
from sentinel_operator.bridge.metrics import Metrics as BridgeMetrics
from sentinel_operator.engine.metrics import Metrics
from sentinel_workloads.model_server.observe.metrics import Metrics as ServerMetrics
from sentinel_workloads.scan.shard.tally import Tally

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def exposed() -> set[str]:
    """Gives their names, as queries have them."""
    server = ServerMetrics(ServingConfig(name="a", namespace="b", revision="c"))
    scan = Tally(index=0, total_bytes=1).metrics().decode()
    ours = (each.render().decode() for each in (Metrics(), BridgeMetrics()))
    texts = (*ours, server.exposition("text/plain")[0].decode(), scan)
    families = [family for text in texts for family in text_string_to_metric_families(text)]
    return {family.name + suffix for family in families for suffix in _SUFFIXES.get(family.type, ("",))}
