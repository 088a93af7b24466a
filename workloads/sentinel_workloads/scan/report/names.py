"""What the files of a report are called; they lie side by side in the folder `report` of the job's root."""

from sentinel_operator.api.attestation import STATEMENT_FILE

REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
BOM = "bom.cdx.json"
CLEAN = "clean.jsonl"
BUNDLE = STATEMENT_FILE
"""Written last: without it there is no report."""
RESULTS = "results.jsonl.gz"
"""Every result with its final verdict, a line each, in the order of the tree's leaves."""
LEAVES = "leaves.bin"
"""The hashes of the leaves, 32 bytes each."""
OBJECTS = "objects.jsonl"
"""An ObjectLine an object, by which the dataset's digest is found again."""
