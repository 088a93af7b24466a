"""Shows a report on the terminal, or opens its page."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sentinel_operator.api.scanning import REPORT, Verdict
from sentinel_workloads.objectstore.failures import MissingError
from sentinel_workloads.scan.cli.outcome import Exit, Failed
from sentinel_workloads.scan.cli.where import opened, path_of, store_of
from sentinel_workloads.scan.report.document import Report
from sentinel_workloads.scan.report.excerpt import plain
from sentinel_workloads.scan.report.names import REPORT_HTML, REPORT_JSON

MAX_REPORT_BYTES = 256 << 20
EXCERPT = 100
STYLES: dict[str, str] = {
    "Quarantined": "bold red",
    "Incomplete": "bold magenta",
    "Error": "magenta",
    "Elevated": "yellow",
    "Clean": "green",
}


async def show(place: str, *, worst: int, as_json: bool, in_browser: bool, endpoint: str = "") -> Exit:
    """What the report at the place says. It is not verified: that is what `verify` does."""
    if in_browser:
        return _browse(place)
    async with opened(place, endpoint=endpoint) as store:
        prefix = f"{REPORT}/" if await store.head(f"{REPORT}/{REPORT_JSON}") else ""
        try:
            content = await store.get(f"{prefix}{REPORT_JSON}", limit=MAX_REPORT_BYTES)
            report = Report.model_validate_json(content)
        except MissingError as error:
            raise Failed(f"{place}: there is no report") from error
        except (ValidationError, ValueError) as error:
            raise Failed(f"{place}: {REPORT_JSON} is not the report of a scan") from error
    if as_json:
        print(content.decode())
    else:
        print_report(report, worst=worst)
    return Exit.OK


def print_report(report: Report, *, worst: int) -> None:
    """Verdict, numbers, attacks, and the worst documents."""
    console, counts = Console(highlight=False), report.counts
    console.print(Text(report.verdict, style=STYLES[report.verdict]), Text(plain(report.source.uri)), soft_wrap=True)
    numbers: tuple[tuple[Verdict, int], ...] = (
        ("Quarantined", counts.quarantined),
        ("Error", counts.failed),
        ("Elevated", counts.elevated),
        ("Clean", counts.clean),
    )
    parts = [Text(f"{counts.documents:,} documents:")]
    parts += [Text(f"{count:,} {name}", style=STYLES[name] if count else "dim") for name, count in numbers]
    console.print(*parts, sep="  ", soft_wrap=True)
    for item in report.classes[:10]:
        console.print(Text(f"  {plain(item.attack)}: {item.documents:,}, of which {item.quarantined:,} quarantined"))
    if report.worst and worst:
        console.print(_worst(report, worst))
        more = len(report.worst) + report.worst_left_out - worst
        if more > 0:
            console.print(Text(f"and {more:,} more that are not clean", style="dim"))


def _worst(report: Report, count: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("RISK", "VERDICT", "DOCUMENT", "ATTACKS", "TEXT"):
        table.add_column(name, overflow="fold" if name in {"DOCUMENT", "TEXT"} else "ellipsis")
    for finding in report.worst[:count]:
        line = finding.result
        attacks = dict.fromkeys(plain(reason.attack) for reason in line.reasons)
        table.add_row(
            Text("?" if line.verdict == "Error" else str(line.risk)),
            Text(line.verdict, style=STYLES[line.verdict]),
            Text(f"{plain(line.object)}{f' #{line.row}' if line.row else ''}"),
            Text(", ".join(attacks)),
            Text(plain(line.excerpt[:EXCERPT])),
        )
    return table


def _browse(place: str) -> Exit:
    folder = path_of(store_of(place, folder=True))
    if folder is None:
        raise Failed("a page is opened from a folder of this machine")
    pages = [path for path in (folder / REPORT / REPORT_HTML, folder / REPORT_HTML) if Path(path).is_file()]
    if not pages:
        raise Failed(f"{place}: there is no page")
    if not webbrowser.open(pages[0].as_uri()):
        print(pages[0])
    return Exit.OK
