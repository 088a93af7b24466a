"""`python -m benchmarks.scan.bare MODEL FILE`: tokenizer and onnxruntime over the documents, and nothing else."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

TOKENS = 256


def main() -> int:
    """Prints the seconds that the documents took, and those of the CPU."""
    model, file = map(Path, sys.argv[1:])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model / "model.onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.no_padding()
    names = {given.name for given in session.get_inputs()}
    texts = [json.loads(line)["text"] for line in file.read_bytes().splitlines()]
    start, started = time.perf_counter(), time.process_time()
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        every = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        session.run(None, {name: value for name, value in every.items() if name in names})
    print(time.perf_counter() - start, time.process_time() - started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
