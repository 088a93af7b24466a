"""The model server beside others, and beside bare onnxruntime, in one run on one machine."""
