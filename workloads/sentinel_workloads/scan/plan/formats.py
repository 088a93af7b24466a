"""What an object is taken for by its name. Where the name does not say, its first bytes do, when it is read."""

from __future__ import annotations

from typing import Literal

from sentinel_operator.api.scanning import Format, Reading

GZIP = ".gz"
_ROWS: dict[str, Format] = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "csv",
    "parquet": "parquet",
    "pq": "parquet",
}
_TEXT_NAMES = """
    adoc asciidoc c cc cfg conf cpp cs css diff go h hpp htm html ini java js json kt log lua m markdown md mdx org
    patch php pl po properties py pyi r rb rs rst rtf scala sh sql srt svg swift tex text toml ts tsx txt vtt xhtml
    xml yaml yml
"""
_TEXT = frozenset(_TEXT_NAMES.split())


def format_of(name: str, reading: Reading) -> Format | Literal["unknown"]:
    """The format that the user names for all, or that of the extension, that of what is compressed included."""
    if reading.format != "auto":
        return reading.format
    extension = name.lower().removesuffix(GZIP).rpartition("/")[2].rpartition(".")[2]
    return _ROWS.get(extension) or ("txt" if extension in _TEXT else "unknown")


def is_compressed(name: str) -> bool:
    """Tells whether the object is read through gunzip; only a name says so, content never does."""
    return name.lower().endswith(GZIP)
