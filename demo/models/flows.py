"""Synthetic network flows of six applications, drawn around the class means of the Sentinel-QoS training set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEATURES = (
    "flow_duration",
    "total_packets",
    "total_bytes",
    "avg_pkt_len",
    "avg_interarrival_time",
    "flow_bytes_per_sec",
)
MTU = 1500


@dataclass(frozen=True, slots=True)
class Application:
    """The means of one class, and how many of 1,500 flows it has."""

    share: int
    seconds: float
    packet_bytes: float
    interarrival_seconds: float
    bytes_per_second: float


APPLICATIONS = {
    "Browsing": Application(400, 16, 589, 0.10, 49e3),
    "Gaming": Application(200, 296, 79, 0.014, 160e3),
    "Texting": Application(200, 10, 101, 0.49, 472),
    "Video Call": Application(250, 225, 246, 0.020, 390e3),
    "Video Streaming": Application(300, 179, 1308, 0.012, 1.5e6),
    "Video Upload": Application(150, 120, 1398, 0.010, 2.16e6),
}
LABELS = tuple(sorted(APPLICATIONS))
"""In the order of the model's probabilities."""

# Log-standard deviations. They leave one hard pair, Video Streaming and Video Upload, as in the original data.
_SPREAD = {"seconds": 0.55, "packet_bytes": 0.06, "interarrival_seconds": 0.3, "bytes_per_second": 0.35}


@dataclass(frozen=True, slots=True)
class Flows:
    """Rows of features [N, 6] float32, in the order of FEATURES, and their labels [N]."""

    features: NDArray[np.float32]
    labels: NDArray[np.str_]


def draw(rows: int, *, seed: int) -> Flows:
    """Gives the same flows for the same arguments on every machine; shares of the classes as in APPLICATIONS.

    Every value is rounded as a flow exporter would round it, which also hides the last bit of exp(), the one thing
    here that differs between processors.
    """
    generator = np.random.default_rng(seed)
    parts = [_draw_class(generator, LABELS[i], rows=rows) for i in range(len(LABELS))]
    labels = np.concatenate([np.full(len(part), label) for label, part in zip(LABELS, parts, strict=True)])
    return Flows(np.vstack(parts).astype(np.float32), labels)


def _draw_class(generator: np.random.Generator, label: str, *, rows: int) -> NDArray[np.float64]:
    application = APPLICATIONS[label]
    count = rows * application.share // 1500

    def around(field: str) -> NDArray[np.float64]:
        mean, spread = float(getattr(application, field)), _SPREAD[field]
        return mean * np.exp(spread * generator.standard_normal(count) - spread**2 / 2)

    seconds = np.maximum(np.round(around("seconds"), 3), 0.05)
    total_bytes = np.maximum(np.rint(around("bytes_per_second") * seconds), 64)
    packets = np.maximum(np.rint(total_bytes / np.minimum(around("packet_bytes"), MTU)), 1)
    interarrival = np.round(around("interarrival_seconds"), 5)
    rates = np.round(total_bytes / packets, 1), interarrival, np.round(total_bytes / seconds, 1)
    return np.column_stack([seconds, packets, total_bytes, *rates])
