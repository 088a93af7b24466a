"""The page shows hostile text and stays what it is: nothing runs, nothing is loaded, nothing is hidden."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from typing_extensions import override

from sentinel_operator.api.scanning import ReasonLine, SpanLine
from sentinel_workloads.scan.report import page as page_module
from sentinel_workloads.scan.report.excerpt import highlighted, shown
from sentinel_workloads.scan.report.page import page
from tests.support.scanned import a_report, a_result

HOSTILE = [
    "<script>alert(1)</script>",
    "</pre></article><img src=x onerror=alert(1)>",
    "</style><style>body{display:none}</style>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "<!-- --> <![CDATA[ ]]> <?php ?>",
    "</script><script src=https://evil.example/x.js></script>",
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    "<base href=https://evil.example>",
    "&lt;script&gt; &#x3c;script&#x3e; &quot;",
    "javascript:alert(1)",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "\u202e\u2066right to left\u2069 \u200bzero\u200d \ufeff",
    "\U000e0041\U000e0042 tags, \ufe0f selectors, \u3164 fillers, \x00\x1b[31m controls",
    "a\ud800b lone surrogate".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
]


class Parsed(HTMLParser):
    """Elements and attributes as a browser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    @override
    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(1 for name, _ in self.elements if name == tag)


def everywhere(text: str) -> str:
    """The page of a report in which every string that comes from outside is this text."""
    reason = ReasonLine(rule=text, attack=text, weight=1, message=text, decoded=text, spans=(SpanLine(start=0, end=3),))
    result = a_result(object=text, id=text, label=text, excerpt=text, reasons=(reason,), verdict="Quarantined", risk=99)
    return page(a_report(result, name=text, uri=text, requested_by=text, detector=text))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_document_becomes_markup(text: str) -> None:
    harmless, hostile = Parsed(everywhere("harmless")), Parsed(everywhere(text))
    for tag in ("script", "style", "meta", "img", "svg", "base", "link", "iframe", "object", "form", "title"):
        assert hostile.count(tag) == harmless.count(tag), tag
    for name, attributes in hostile.elements:
        assert not any(attribute.startswith("on") or attribute == "style" for attribute in attributes), name
        assert set(attributes) & {"src", "srcset", "action", "data", "background"} == set(), name


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_hides_reaches_the_page(text: str) -> None:
    content = everywhere(text)
    hidden = {char for char in content if unicodedata.category(char) in {"Cf", "Cc", "Co", "Cs"} and char != "\n"}
    assert not hidden
    assert "\ufe0f" not in content
    assert "\u3164" not in content
    content.encode()


def test_the_page_asks_nobody_for_anything() -> None:
    content = everywhere("https://evil.example/")
    parsed = Parsed(content)
    links = [attributes["href"] for _, attributes in parsed.elements if "href" in attributes]
    assert all(re.fullmatch(r"[a-z.]+", link) for link in links)
    style = content[content.index("<style>") : content.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_only_the_pages_own_script_and_style_may_run() -> None:
    content = page(a_report(a_result()))
    policy = next(
        attributes["content"]
        for name, attributes in Parsed(content).elements
        if name == "meta" and "http-equiv" in attributes
    )
    assert "default-src 'none'" in policy
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        body = content[content.index(f"<{tag}>") + len(tag) + 2 : content.index(f"</{tag}>")]
        assert f"{directive} '{page_module._hash(body)}'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "plain"),
        ("a\u200bb", "a<i>U+200B</i>b"),
        ("\u200b\u200b\u200b", "<i>U+200B×3</i>"),
        ("a\u202eb", "a<i>U+202E</i>b"),
        ("a\u00a0b", "a<i>U+00A0</i>b"),
        ("line\r\nline\n\tx", "line\nline\n\tx"),
        ("a\rb", "a<i>U+000D</i>b"),
        ("e\u0301 é ж 漢 😀", "e\u0301 é ж 漢 😀"),
        ("<&>\"'", "&lt;&amp;&gt;&quot;&#x27;"),
        ("\U000e0041", "<i>U+E0041</i>"),
    ],
)
def test_what_hides_is_written_out(text: str, html: str) -> None:
    assert shown(text) == html


def marked(text: str, start: int, *spans: tuple[int, int, str]) -> str:
    reasons = [
        ReasonLine(rule="r", attack=attack, weight=1, spans=(SpanLine(start=first, end=last),))
        for first, last, attack in spans
    ]
    return highlighted(text, start, reasons)


@pytest.mark.parametrize(
    ("spans", "html"),
    [
        ((), "abcdef"),
        (((0, 3, "x"),), '<mark title="x">abc</mark>def'),
        (((4, 6, "x"),), 'abcd<mark title="x">ef</mark>'),
        (((0, 4, "x"), (2, 6, "y")), '<mark title="x">ab</mark><mark title="x, y">cd</mark><mark title="y">ef</mark>'),
        (((-5, 2, "x"),), '<mark title="x">ab</mark>cdef'),
        (((4, 900, "x"),), 'abcd<mark title="x">ef</mark>'),
        (((10, 20, "x"), (3, 3, "x"), (5, 2, "x")), "abcdef"),
    ],
    ids=["none", "first", "last", "overlap", "before", "beyond", "nowhere"],
)
def test_spans_are_marked(spans: tuple[tuple[int, int, str], ...], html: str) -> None:
    assert marked("abcdef", 0, *spans) == html


def test_spans_are_those_of_the_document_not_of_the_excerpt() -> None:
    assert marked("def", 3, (4, 5, "x")) == 'd<mark title="x">e</mark>f'


def test_a_thousand_spans_do_not_blow_up_the_page() -> None:
    spans = [(number, number + 1, "x") for number in range(0, 2000, 2)]
    assert marked("a" * 2000, 0, *spans).count("<mark") <= 200


def test_the_page_of_hidden_text_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MAX_DOCUMENT_BYTES", 20_000)
    result = a_result(excerpt="\u200b\u200c" * 1000, verdict="Quarantined", risk=99)
    content = page(a_report(*[result] * 50))
    assert len(content) < 60_000
    assert "more documents are not clean" in content


def test_an_empty_dataset_has_a_page() -> None:
    content = page(a_report())
    assert "Every document is clean" in content
    assert "There were no documents" in content
