"""`sentinel-scan`: the commands and their flags. What a command needs is imported when it runs: help is quick."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="sentinel-scan",
    help="Find poisoned documents and prompt injection in training data, and prove what was found.",
    epilog="Exit codes: 0 clean (or proven), 1 something was quarantined (or is not proven), 2 error.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Format(StrEnum):
    """How documents lie in objects."""

    auto = "auto"
    txt = "txt"
    jsonl = "jsonl"
    parquet = "parquet"
    csv = "csv"


Place = Annotated[str, typer.Argument(metavar="PATH|s3://…", help="A folder, a file or a prefix.", show_default=False)]
ReportPlace = Annotated[
    str, typer.Argument(metavar="REPORT_DIR|s3://…", help="Where the report lies.", show_default=False)
]
Endpoint = Annotated[str, typer.Option(metavar="URL", help="The S3 endpoint; empty: AWS.", show_default=False)]
PublicKey = Annotated[
    Path | None, typer.Option("--key", metavar="PUBLIC.pem", help="The key whose signature counts.", show_default=False)
]
SignerIdentity = Annotated[
    str, typer.Option("--identity", metavar="NAME", help="The identity whose signature counts.", show_default=False)
]
Issuer = Annotated[str, typer.Option(metavar="URL", help="Who vouches for that identity.", show_default=False)]
TrustRoot = Annotated[
    Path | None, typer.Option(metavar="FILE", help="sigstore's TrustedRoot, as JSON.", show_default=False)
]


@app.command(short_help="Scan a dataset.")
def run(
    place: Place,
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="Where the report goes.")] = "scan-out",
    quarantine: Annotated[
        str, typer.Option(metavar="DIR", help="Where quarantined documents are copied to.", show_default=False)
    ] = "",
    move: Annotated[bool, typer.Option("--move", help="Take what is quarantined out of the dataset.")] = False,
    key: Annotated[
        Path | None, typer.Option(metavar="PRIVATE.pem", help="Sign the report with this key.", show_default=False)
    ] = None,
    token: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sign keyless with this identity token.", show_default=False)
    ] = None,
    trust_config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="sigstore's ClientTrustConfig.", show_default=False)
    ] = None,
    model_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Holds scan-embedding/ and scan-classifier/.", show_default=False),
    ] = None,
    embedding: Annotated[Path | None, typer.Option(metavar="DIR", help="The embedding.", show_default=False)] = None,
    classifier: Annotated[Path | None, typer.Option(metavar="DIR", help="The classifier.", show_default=False)] = None,
    rules: Annotated[bool, typer.Option("--rules/--no-rules", help="Judge by rules as well.")] = True,
    threshold: Annotated[
        int, typer.Option(min=0, max=100, metavar="RISK", help="Risk from which a document is quarantined.")
    ] = 70,
    elevated: Annotated[
        int, typer.Option(min=0, max=100, metavar="RISK", help="Risk from which it is worth a look.")
    ] = 50,
    form: Annotated[Format, typer.Option("--format", help="How documents lie in objects.")] = Format.auto,
    text_field: Annotated[str, typer.Option(metavar="NAME", help="Where a row has its text.")] = "text",
    id_field: Annotated[str, typer.Option(metavar="NAME", help="Where it has its id.", show_default=False)] = "",
    label_field: Annotated[
        str, typer.Option(metavar="NAME", help="Where it has its label: flipped ones are found.", show_default=False)
    ] = "",
    provenance: Annotated[
        str, typer.Option(metavar="FILE", help="What should be there, as sha256sum writes it.", show_default=False)
    ] = "",
    cache: Annotated[
        str, typer.Option(metavar="DIR", help="Keep judgements for the next scan.", show_default=False)
    ] = "",
    name: Annotated[str, typer.Option(help="What the scan is called.", show_default=False)] = "",
    threads: Annotated[int, typer.Option(min=0, help="How many judge at once; 0: one a core.")] = 0,
    worst: Annotated[int, typer.Option(min=0, help="How many documents are listed at the end.")] = 10,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    endpoint: Endpoint = "",
) -> None:
    """Scan a dataset, without Kubernetes: judge every document, put aside what is poisoned, report, sign.

    Started again with the same output it goes on where it was ended.
    """
    from sentinel_operator.api.scanning import Reading, Signing, Thresholds  # noqa: PLC0415
    from sentinel_workloads.scan.cli import run as command  # noqa: PLC0415
    from sentinel_workloads.scan.cli.outcome import end  # noqa: PLC0415

    signing = Signing()
    if key:
        signing = Signing(type="Key", key_file=str(key))
    elif token:
        signing = Signing(type="Keyless", token_file=str(token), trust_config_file=str(trust_config or ""))
    asked = command.Asked(
        place=place,
        output=output,
        endpoint=endpoint,
        name=name,
        quarantine=quarantine,
        move=move,
        reading=Reading(format=form.value, text_field=text_field, id_field=id_field, label_field=label_field),
        thresholds=Thresholds(quarantine=threshold, elevated=min(elevated, threshold)),
        heuristics=rules,
        model_dir=model_dir,
        embedding=embedding,
        classifier=classifier,
        cache=cache,
        provenance=provenance,
        signing=signing,
        threads=threads,
        worst=worst,
        quiet=quiet,
    )
    end(command.run(asked))


@app.command(short_help="Prove a report, or the verdict on one document.")
def verify(
    place: Annotated[
        str, typer.Argument(metavar="[REPORT_DIR|s3://…]", help="Where the report lies.", show_default=False)
    ] = "",
    key: PublicKey = None,
    identity: SignerIdentity = "",
    issuer: Issuer = "",
    trust_root: TrustRoot = None,
    dataset: Annotated[
        str, typer.Option(metavar="PATH|s3://…", help="Prove too that this is what was scanned.", show_default=False)
    ] = "",
    document: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Prove the verdict on this document.", show_default=False)
    ] = None,
    proof: Annotated[Path | None, typer.Option(metavar="FILE", help="By this proof of it.", show_default=False)] = None,
    endpoint: Endpoint = "",
) -> None:
    """Prove a report: signature, files, every verdict, counts, thresholds. Offline but for the store it lies in."""
    from sentinel_workloads.scan.cli import prove as command  # noqa: PLC0415
    from sentinel_workloads.scan.cli.outcome import end  # noqa: PLC0415
    from sentinel_workloads.scan.cli.trust import Trust  # noqa: PLC0415

    trust = Trust(key=key, identity=identity, issuer=issuer, trust_root=trust_root)
    if (document is None) != (proof is None) or bool(place) == bool(proof):
        raise typer.BadParameter("give a report, or --document and --proof")
    if document and proof:
        end(command.verify_document(document, proof, trust))
    end(command.verify(place, trust, dataset=dataset, endpoint=endpoint))


@app.command(short_help="Write the proof for one document.")
def prove(
    place: ReportPlace,
    key: Annotated[str, typer.Argument(metavar="OBJECT", help="As the report calls it.", show_default=False)],
    row: Annotated[int | None, typer.Option(help="Of an object with many documents.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Else standard output.", show_default=False)
    ] = None,
    endpoint: Endpoint = "",
) -> None:
    """Write the proof for one document: its verdict, its path in the Merkle tree, and the signed root."""
    from sentinel_workloads.scan.cli import prove as command  # noqa: PLC0415
    from sentinel_workloads.scan.cli.outcome import end  # noqa: PLC0415

    end(command.write_proof(place, key, row=row, output=output, endpoint=endpoint))


@app.command(short_help="Show a report.")
def report(
    place: ReportPlace,
    worst: Annotated[int, typer.Option(min=0, help="How many documents are listed.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="The report itself.")] = False,
    in_browser: Annotated[bool, typer.Option("--open", help="The page, in a browser.")] = False,
    endpoint: Endpoint = "",
) -> None:
    """Show what a report says. `verify` says whether it is true."""
    from sentinel_workloads.scan.cli import show as command  # noqa: PLC0415
    from sentinel_workloads.scan.cli.outcome import end  # noqa: PLC0415

    end(command.show(place, worst=worst, as_json=as_json, in_browser=in_browser, endpoint=endpoint))


def main() -> None:
    """Runs a command and exits with its code; text that the terminal cannot show never ends it."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app(prog_name="sentinel-scan")


if __name__ == "__main__":
    main()
