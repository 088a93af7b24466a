from __future__ import annotations

import subprocess
import sys

_IMPORT_ALL = """
import importlib, pkgutil, sys
import sentinel_operator.cli as package
for module in pkgutil.iter_modules(package.__path__, "sentinel_operator.cli."):
    importlib.import_module(module.name)
print("sentinel_operator.cli.cluster" in sys.modules, sorted({"kopf", "pykube"} & set(sys.modules)))
"""


def test_no_command_pays_for_the_operators_framework() -> None:
    done = subprocess.run([sys.executable, "-c", _IMPORT_ALL], capture_output=True, text=True, check=True)
    assert done.stdout == "True []\n"
