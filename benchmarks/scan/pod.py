"""`python -m benchmarks.scan.pod FILE STEP …`: a pod that leaves in the file what memory and time it took.

Who waits for a process learns its peak together with that of its parent before the exec; only itself knows its own.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from sentinel_workloads.scan.__main__ import main


def peak_kib() -> int:
    """The most that was resident."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    code = main(sys.argv[2:])
    used = resource.getrusage(resource.RUSAGE_SELF)
    Path(sys.argv[1]).write_text(json.dumps({"mib": peak_kib() / 1024, "cpu": used.ru_utime + used.ru_stime}))
    sys.exit(code)
