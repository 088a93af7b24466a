"""A real corpus to scan: prompts with labels, prompts in other languages, and the prose of Python's own library.

prompts/chat.jsonl            S-Labs prompt injection, test split (MIT): id, text, label
prompts/multilingual.csv      yanismiraoui prompt injections (Apache-2.0): id, text; every one an injection
prompts/composed.parquet      neuralchemy prompt injection, test split (Apache-2.0), as it is published
library/*.txt                 what Python's modules say of themselves (PSF-2.0)
"""

from __future__ import annotations

import ast
import csv
import json
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from demo.models.packages import NEURALCHEMY_TEST, TEST, YANISMIRAOUI

LABELS = ("benign", "injection")
_SHORTEST = 200
"""Modules that say less than this in all are left out."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """How many documents lie in which part."""

    chat: int
    multilingual: int
    library: int


def write_corpus(folder: Path) -> Corpus:
    """Writes the corpus into the folder, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "prompts").mkdir(parents=True)
    (folder / "library").mkdir()
    shutil.copyfile(NEURALCHEMY_TEST.locate(), folder / "prompts" / "composed.parquet")
    return Corpus(
        chat=_write_chat(folder / "prompts" / "chat.jsonl"),
        multilingual=_write_multilingual(folder / "prompts" / "multilingual.csv"),
        library=_write_library(folder / "library"),
    )


def _write_chat(path: Path) -> int:
    with TEST.locate().open(encoding="utf-8", newline="") as rows, path.open("w", encoding="utf-8") as out:
        count = 0
        for count, row in enumerate(csv.DictReader(rows), start=1):
            document = {"id": f"chat-{count:05d}", "text": row["text"], "label": LABELS[int(row["label"])]}
            out.write(json.dumps(document, ensure_ascii=False) + "\n")
    return count


def _write_multilingual(path: Path) -> int:
    with (
        YANISMIRAOUI.locate().open(encoding="utf-8", newline="") as rows,
        path.open("w", encoding="utf-8", newline="") as out,
    ):
        writer = csv.writer(out)
        writer.writerow(("id", "text", "label"))
        count = 0
        for count, row in enumerate(csv.DictReader(rows), start=1):
            writer.writerow((f"multilingual-{count:05d}", row["prompt_injections"], LABELS[1]))
    return count


def _write_library(folder: Path) -> int:
    written = 0
    for module in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        tree = ast.parse(module.read_bytes())
        told = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, _DOCUMENTED))
        prose = "\n\n".join(text for text in told if text)
        if len(prose) >= _SHORTEST:
            (folder / f"{module.stem}.txt").write_text(prose, encoding="utf-8")
            written += 1
    return written


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
