"""The Open Inference Protocol v2: tensors as JSON, as bytes after JSON, and as protobuf."""
