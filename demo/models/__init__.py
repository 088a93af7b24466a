"""Two real models, built from scratch in about a minute: trained, exported to ONNX, quantized, digested and signed.

`python -m demo.models build --out DIR` makes the same bytes on every machine, so that a digest can be written into a
manifest before the artifact exists. Weights and data come from pinned Python packages and are never committed.
"""
