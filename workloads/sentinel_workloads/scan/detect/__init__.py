"""Finds poison and prompt injection in text: what it says under any disguise, by rules and by a trained classifier."""

from sentinel_workloads.scan.detect.detector import Detector
from sentinel_workloads.scan.detect.errors import DetectorError
from sentinel_workloads.scan.detect.finding import Judgement, Reason, Span

__all__ = ["Detector", "DetectorError", "Judgement", "Reason", "Span"]
