"""The sentence encoder: one text a call, which makes its answer the same whatever else is judged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions
from tokenizers import Tokenizer

from sentinel_workloads.scan.detect.errors import DetectorError

FIELD = "embedding"
MODEL, TOKENIZER, METADATA = "model.onnx", "tokenizer.json", "metadata.json"
OUTPUT = "embedding"
MAX_TOKENS = 128
"""Of a window; text of 160 code points has fewer unless it is no language."""


class Encoder:
    """MiniLM in ONNX Runtime. Threads may share it; the interpreter lock is free while it runs."""

    __slots__ = ("_session", "_tokenizer", "describe", "width")

    def __init__(self, session: InferenceSession, tokenizer: Tokenizer, described: dict[str, Any]) -> None:
        self._session, self._tokenizer = session, tokenizer
        self.describe = described
        self.width = int(session.get_outputs()[0].shape[-1])

    @classmethod
    def open(cls, folder: Path, *, threads: int) -> Self:
        """Opens model.onnx, tokenizer.json and metadata.json; raises DetectorError when they are not an encoder."""
        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # it grows with the longest text and never shrinks
        try:
            described = describe(folder, (MODEL, TOKENIZER))
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            session = InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
        except DetectorError:
            raise
        except Exception as error:  # the runtime and the tokenizer raise what they like
            raise DetectorError(FIELD, f"cannot be read: {str(error).splitlines()[0]}") from error
        if [output.name for output in session.get_outputs()] != [OUTPUT]:
            raise DetectorError(FIELD, f"{MODEL} has no single output {OUTPUT}")
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return cls(session, tokenizer, described)

    def embed(self, text: str) -> NDArray[np.float32]:
        """Gives the embedding, of length one."""
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        result: NDArray[np.float32] = self._session.run(
            [OUTPUT], {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        )[0][0]
        return result


def describe(folder: Path, files: tuple[str, ...], *, field: str = FIELD) -> dict[str, Any]:
    """Gives name, version and the files' digests of an artifact; raises DetectorError when one is missing."""
    try:
        metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
        digests = {name: f"sha256:{hashlib.sha256((folder / name).read_bytes()).hexdigest()}" for name in files}
        return {"name": str(metadata["name"]), "version": str(metadata["version"]), "files": digests}
    except FileNotFoundError as error:
        raise DetectorError(field, f"{Path(str(error.filename)).name} is missing") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DetectorError(field, f"{METADATA} cannot be read: {error}") from None
