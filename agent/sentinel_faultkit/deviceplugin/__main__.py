"""`python -m sentinel_faultkit.deviceplugin`: gives the GPUs of the fault file to the node's kubelet."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from sentinel_faultkit.deviceplugin.plugin import DevicePlugin, Folder, default_file
from sentinel_faultkit.faultfile import FaultFile


def _create(file: FaultFile, gpus: int, node: str) -> None:
    """GPUs of different nodes differ by their uuids."""
    file.create(gpus=gpus)
    if node:
        for index in range(gpus):
            file.gpu(index, uuid=f"GPU-{node}-{index}")


def main() -> int:
    """Serves until told to end."""
    parser = argparse.ArgumentParser(prog="python -m sentinel_faultkit.deviceplugin", description=__doc__)
    parser.add_argument("--file", type=Path, default=default_file(), help="the fault file; made where it is missing")
    parser.add_argument("--gpus", type=int, default=2, help="how many a new file has")
    parser.add_argument("--folder", type=Path, default=Folder().path, help="the kubelet's folder of device plugins")
    parser.add_argument("--resource", default="nvidia.com/gpu")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    file = FaultFile(options.file)
    if not options.file.exists():
        _create(file, options.gpus, os.environ.get("NODE_NAME", ""))
    plugin = DevicePlugin(file, folder=Folder(options.folder), resource=options.resource)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: plugin.stop())
    plugin.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
