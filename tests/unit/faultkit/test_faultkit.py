"""The fake NVML as the official binding reads it, a process a case: it keeps what it loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel_agent.gpu.xid import APPLICATION
from sentinel_faultkit import library
from sentinel_faultkit.__main__ import main
from sentinel_faultkit.deviceplugin.plugin import APPLICATION_XIDS
from sentinel_faultkit.faultfile import ENVIRONMENT, FaultFile

READ = """
import os, sys, pynvml as n
from sentinel_faultkit.faultfile import FaultFile
from pathlib import Path
file = FaultFile(Path(os.environ["SENTINEL_FAULT_FILE"]))
def said(call, *arguments):
    try:
        return call(*arguments)
    except n.NVMLError as error:
        return type(error).__name__.removeprefix("NVMLError_")
"""


@pytest.fixture
def file(tmp_path: Path) -> FaultFile:
    made = FaultFile(tmp_path / "gpus.ini")
    made.create(gpus=2)
    return made


def read(file: FaultFile, script: str, *, folder: Path | None = None) -> list[str]:
    """Runs a script against the library and gives the lines that it printed."""
    environment = {**os.environ, ENVIRONMENT: str(file.path), "LD_LIBRARY_PATH": str(folder or library.build())}
    command = [sys.executable, "-c", READ + script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_binding_reads_what_the_file_says_at_each_call(file: FaultFile):
    file.gpu(0, utilization=88, memory_utilization=12, power=301.5, temperature=71, name="NVIDIA L4", fan=40)
    file.throttle(0, "hw-thermal", "sw-power-cap")
    assert read(
        file,
        """
n.nvmlInit()
print(n.nvmlSystemGetDriverVersion(), n.nvmlDeviceGetCount())
gpu = n.nvmlDeviceGetHandleByIndex(0)
rates = n.nvmlDeviceGetUtilizationRates(gpu)
print(n.nvmlDeviceGetUUID(gpu), n.nvmlDeviceGetName(gpu), n.nvmlDeviceGetPciInfo(gpu).busId, rates.gpu, rates.memory)
print(n.nvmlDeviceGetPowerUsage(gpu), n.nvmlDeviceGetTemperature(gpu, 0), n.nvmlDeviceGetFanSpeed(gpu))
print(n.nvmlDeviceGetCurrentClocksEventReasons(gpu), n.nvmlDeviceGetMemoryInfo(gpu, n.nvmlMemory_v2).total >> 20)
file.gpu(0, utilization=3)
print(n.nvmlDeviceGetUtilizationRates(gpu).gpu)
print(said(n.nvmlDeviceGetFanSpeed, n.nvmlDeviceGetHandleByIndex(1)))
""",
    ) == [
        "570.00 2",
        "GPU-00000000-0000-0000-0000-000000000000 NVIDIA L4 00000000:01:00.0 88 12",
        "301500 71 40",
        "68 81559",
        "3",
        "NotSupported",
    ]


def test_a_gpu_is_lost_and_vanishes_and_returns_under_the_handle_that_it_had(file: FaultFile):
    assert read(
        file,
        """
n.nvmlInit()
gpu = n.nvmlDeviceGetHandleByIndex(0)
file.gpu(0, lost=True)
print(said(n.nvmlDeviceGetPowerUsage, gpu), n.nvmlDeviceGetCount(), said(n.nvmlDeviceGetHandleByIndex, 0))
held = file.remove("gpu 0")
print(said(n.nvmlDeviceGetPowerUsage, gpu), n.nvmlDeviceGetCount())
file.set("gpu 0", **{**held, "lost": "no"})
print(n.nvmlDeviceGetPowerUsage(gpu), n.nvmlDeviceGetCount())
""",
    ) == ["GpuIsLost 2 GpuIsLost", "GpuIsLost 1", "60000 2"]


def test_the_four_failures_are_the_drivers_own(file: FaultFile):
    file.set("driver", missing="nvmlDeviceGetPowerUsage")
    script = """
print(said(n.nvmlInit))
gpu = n.nvmlDeviceGetHandleByIndex(0)
print(said(n.nvmlDeviceGetPowerUsage, gpu), n.nvmlDeviceGetTemperature(gpu, 0))
file.set("driver", loaded="no")
print(said(n.nvmlDeviceGetTemperature, gpu, 0), said(n.nvmlInit))
"""
    expected = ["None", "FunctionNotFound 35", "DriverNotLoaded DriverNotLoaded"]
    assert read(file, script) == expected
    file.set("driver", loaded="yes", missing="")
    assert read(file, script, folder=library.build(without=["nvmlDeviceGetPowerUsage"])) == expected
    assert read(file, "print(said(n.nvmlInit))", folder=file.path.parent) == ["LibraryNotFound"]


def test_a_call_hangs_until_the_file_lets_it_go(file: FaultFile):
    assert read(
        file,
        """
import threading
n.nvmlInit()
gpu = n.nvmlDeviceGetHandleByIndex(0)
file.set("driver", hang="nvmlDeviceGetPowerUsage")
hanging = threading.Thread(target=n.nvmlDeviceGetPowerUsage, args=[gpu])
hanging.start()
print(n.nvmlDeviceGetTemperature(gpu, 0), hanging.is_alive())
file.set("driver", hang="")
hanging.join(30)
print(hanging.is_alive())
""",
    ) == ["35 True", "False"]


def test_parts_and_processes(file: FaultFile):
    file.gpu(1, mig=True)
    file.set("mig 1 0", uuid="MIG-a", name="NVIDIA H100 MIG 1g.10gb", gpu_instance=7, memory_total=9856, memory_used=12)
    file.process(0, 4242, memory=2048, utilization=30)
    file.process(1, 4343, memory=64, mig=0)
    assert read(
        file,
        """
n.nvmlInit()
whole, cut = n.nvmlDeviceGetHandleByIndex(0), n.nvmlDeviceGetHandleByIndex(1)
part = n.nvmlDeviceGetMigDeviceHandleByIndex(cut, 0)
print(n.nvmlDeviceGetMigMode(cut), n.nvmlDeviceGetUUID(part), end=" ")
print(n.nvmlDeviceGetName(part), n.nvmlDeviceGetGpuInstanceId(part))
print(n.nvmlDeviceGetMemoryInfo(part).used >> 20, said(n.nvmlDeviceGetPowerUsage, part))
for each in (whole, cut, part):
    print([(p.pid, p.usedGpuMemory >> 20) for p in n.nvmlDeviceGetComputeRunningProcesses(each)])
print([(sample.pid, sample.smUtil) for sample in n.nvmlDeviceGetProcessUtilization(whole, 0)])
print(said(n.nvmlDeviceGetProcessUtilization, cut, 0))
""",
    ) == [
        "[1, 1] MIG-a NVIDIA H100 MIG 1g.10gb 7",
        "12 NotSupported",
        "[(4242, 2048)]",
        "[(4343, 64)]",
        "[(4343, 64)]",
        "[(4242, 30)]",
        "NotSupported",
    ]


def test_each_xid_is_told_once_and_none_from_before(file: FaultFile):
    file.xid(0, 13)
    assert read(
        file,
        """
n.nvmlInit()
events = n.nvmlEventSetCreate()
n.nvmlDeviceRegisterEvents(n.nvmlDeviceGetHandleByIndex(0), n.nvmlEventTypeXidCriticalError, events)
file.xid(1, 79); file.xid(0, 31)
for _ in range(2):
    event = n.nvmlEventSetWait(events, 5000)
    print(event.eventData, n.nvmlDeviceGetUUID(event.device)[:12])
print(said(n.nvmlEventSetWait, events, 20))
""",
    ) == ["79 GPU-00000001", "31 GPU-00000000", "Timeout"]


def test_people_drive_it_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = str(tmp_path / "gpus.ini")
    for arguments in (
        ["create", path, "--gpus", "3"],
        ["set", path, "gpu 1", "utilization=90", "lost=yes"],
        ["throttle", path, "2", "hw-thermal"],
        ["remove", path, "gpu 0"],
        ["xid", path, "1", "79"],
    ):
        assert main(arguments) == 0
    assert capsys.readouterr().out == "1\n"
    sections = FaultFile(Path(path)).sections()
    assert list(sections) == ["driver", "gpu 1", "gpu 2", "xid 1"]
    assert (sections["gpu 1"]["utilization"], sections["gpu 1"]["lost"]) == ("90", "yes")
    assert sections["gpu 2"]["throttle"] == "64"
    assert sections["xid 1"] == {"gpu": "1", "code": "79"}


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("SENTINEL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert main(["build"]) == 1
    assert "apt-get install gcc" in capsys.readouterr().err


def test_the_device_plugin_and_the_agent_agree_on_what_is_a_processs_own_fault() -> None:
    assert APPLICATION_XIDS == APPLICATION
