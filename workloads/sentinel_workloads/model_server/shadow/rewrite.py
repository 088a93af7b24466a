"""A request that came by gRPC as one that goes by HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from sentinel_workloads.model_server.api.sample import Sample
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.oip.datatypes import to_raw
from sentinel_workloads.model_server.revision import Revision


def as_json(sample: Sample, work: Work, revision: Revision) -> Sample:
    """Gives the sample itself where it came by HTTP; else one of the tensors that were run, as bytes behind JSON."""
    if sample.message is None:
        return sample
    described: list[dict[str, Any]] = []
    binaries: list[bytes] = []
    for name, array in work.feeds.items():
        raw = to_raw(array)
        binaries.append(raw)
        datatype = revision.signature.inputs[name].datatype.name
        parameters = {"binary_data_size": len(raw)}
        described.append({"name": name, "datatype": datatype, "shape": array.shape, "parameters": parameters})
    head = orjson.dumps({"inputs": described})
    body = b"".join((head, *binaries))
    return replace(sample, body=body, header_length=b"%d" % len(head), message=None)
