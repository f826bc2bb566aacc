"""Facts about the machine and its load, and the memory of a process and its descendants."""

import datetime
import os
import platform
import re
import subprocess
import threading
from pathlib import Path
from typing import Any

from audiopipe.runtime import machine_facts

SAMPLE_SECONDS = 0.05


def processors() -> int:
    """Returns the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def load() -> float:
    """Returns the load average of the last minute."""
    return os.getloadavg()[0]


def facts() -> dict[str, Any]:
    """Returns the facts that measurements depend on."""
    models = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "date": datetime.date.today().isoformat(),
        "processors": processors(),
        "processor": models[0] if models else platform.machine(),
        "system": platform.system(),
        "versions": machine_facts.versions(),
        "load": load(),
    }


def status_bytes(process: int | str, name: str) -> int:
    """Returns a memory field of `/proc/PROCESS/status` in bytes, or 0 if the process has ended.

    `"VmRSS"` is the current resident memory, `"VmHWM"` its peak.
    """
    match = re.search(rf"{name}:\s+(\d+) kB", _read(f"/proc/{process}/status"))
    return 1024 * int(match[1]) if match else 0


def reset_peak() -> int:
    """Resets `peak`, and returns the current resident bytes of this process."""
    Path("/proc/self/clear_refs").write_text("5")
    return status_bytes("self", "VmRSS")


def peak() -> int:
    """Returns the maximum of resident bytes of this process since `reset_peak`."""
    return status_bytes("self", "VmHWM")


class Memory:
    """Watcher of the memory of a process and its descendants, until the process ends.

    Attributes:
        peak: Maximum of the sum of resident bytes of all processes. Memory that processes share counts once.
        processes: Maximum of resident bytes by command line. Processes with equal command lines share one entry.
    """

    def __init__(self, process: subprocess.Popen):
        self.peak = 0
        self.processes: dict[str, int] = {}
        self._process = process
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def join(self) -> None:
        """Waits until the process has ended."""
        self._thread.join()

    def _watch(self) -> None:
        while self._process.poll() is None:
            resident = 0
            for pid in _with_descendants(self._process.pid):
                resident += _proportional_bytes(pid)
                name = _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
                self.processes[name] = max(self.processes.get(name, 0), status_bytes(pid, "VmHWM"))
            self.peak = max(self.peak, resident)
            threading.Event().wait(SAMPLE_SECONDS)


def _proportional_bytes(process: int) -> int:
    """Returns the resident bytes of a process, each shared page divided by the number of processes that share it."""
    match = re.search(r"^Pss:\s+(\d+) kB", _read(f"/proc/{process}/smaps_rollup"), re.MULTILINE)
    return 1024 * int(match[1]) if match else 0


def _with_descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            # The command name in parentheses may contain any character. The state and the parent follow it.
            fields = _read(f"/proc/{name}/stat").rpartition(")")[2].split()
            if fields:
                children.setdefault(int(fields[1]), []).append(int(name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:  # the process has just ended
        return ""
