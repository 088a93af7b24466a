"""Serves one immutable revision of one ONNX model over the Open Inference Protocol v2 and as named predictions."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("sentinel-operator")
except PackageNotFoundError:  # Run from a checkout that was never installed.
    __version__ = "0"
