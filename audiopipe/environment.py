"""What decides about float32 bits besides the config: versions, the CPU's family, and TensorFlow's settings."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """What is recorded about the machine that computes features: `versions`, `cpu_family` and `onednn`."""
    return {"versions": versions(), "cpu_family": cpu_family(), "onednn": onednn_enabled()}


def versions() -> dict[str, str]:
    """Versions of audiopipe and of the libraries that compute a feature."""
    import keras
    import numpy
    import soundfile
    import soxr
    import tensorflow

    return {
        "audiopipe": importlib.metadata.version("audiopipe"),
        "keras": keras.__version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "soundfile": soundfile.__version__,
        "soxr": soxr.__version__,
        "tensorflow": tensorflow.__version__,
    }


def cpu_family() -> str:
    """The CPU's architecture, vendor and family, for example `"x86_64 GenuineIntel 6"`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    facts: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            facts.setdefault(name.strip(), value.strip())
    known = [facts[name] for name in ("vendor_id", "cpu family") if name in facts]
    return " ".join([platform.machine(), *known])


def onednn_enabled() -> bool:
    """Whether TensorFlow's oneDNN operations are on (the default); float32 results differ between on and off."""
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() not in ("0", "false")


def differences(machines: list[dict[str, Any]]) -> str:
    """In which of the facts that change bits other machines differ from this one, and why that matters.

    Args:
        machines: What `machine` returned there.

    Returns:
        A sentence, or an empty string where nothing differs.

    Example:
        >>> differences([machine()])
        ''
        >>> differences([{**machine(), "onednn": None}])
        'Bits may differ from those computed here: oneDNN None there, ... here. Each rounds float32 in its own way.'
    """
    here = _deciding(machine())
    different: list[str] = []
    for there in map(_deciding, machines):
        facts = [f"{name} {there[name]} there, {value} here" for name, value in here.items() if there[name] != value]
        different.extend(fact for fact in facts if fact not in different)
    if not different:
        return ""
    return f"Bits may differ from those computed here: {'; '.join(different)}. Each rounds float32 in its own way."


def _deciding(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts that change bits, by the name that people know them by."""
    versions = facts["versions"]
    return {
        "TensorFlow": versions.get("tensorflow"),
        "libsndfile": versions.get("libsndfile"),
        "soxr": versions.get("soxr"),
        "CPU": facts.get("cpu_family"),
        "oneDNN": facts.get("onednn"),
    }
