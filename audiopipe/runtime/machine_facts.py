"""Facts about a machine that affect float32 bits: library versions, the CPU, and TensorFlow's settings."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

# TensorFlow and oneDNN choose their kernels by these. Each kernel rounds in its own way, or adds in another order.
INSTRUCTION_SETS = (
    *("sse4_1", "avx", "avx2", "fma", "avx_vnni", "avx_vnni_int8", "avx512f", "avx512bw", "avx512dq", "avx512vl"),
    *("avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "amx_fp16"),
    *("asimd", "asimdhp", "asimddp", "sve", "sve2", "sme", "bf16", "i8mm"),
)
UNKNOWN = "unknown"

_DECIDING_VERSIONS = {"tensorflow": "TensorFlow", "libsndfile": "libsndfile", "soxr": "soxr"}
_OTHER_VERSIONS = {
    "audiopipe": "audiopipe",
    "keras": "Keras",
    "numpy": "NumPy",
    "soundfile": "soundfile",
    "python": "Python",
}
_SETTINGS = {
    "cpu_family": "CPU",
    "instruction_sets": "instruction sets",
    "onednn": "oneDNN",
    "onednn_max_isa": "oneDNN's maximum instruction set",
    "soxr_simd": "soxr's SIMD",
}


def processors() -> int:
    """Returns the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """Returns the facts that are recorded about the machine that computes features.

    Returns:
        A dict with `versions`, `cpu_family`, `instruction_sets`, `onednn`, `onednn_max_isa` and `soxr_simd`.
    """
    return {
        "versions": versions(),
        "cpu_family": cpu_family(),
        "instruction_sets": instruction_sets(),
        "onednn": onednn_enabled(),
        "onednn_max_isa": onednn_max_isa(),
        "soxr_simd": soxr_simd(),
    }


def versions() -> dict[str, str]:
    """Returns the versions of audiopipe, of Python, and of the libraries that compute a feature."""
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
    """Returns the architecture, vendor and family of the CPU, for example `"x86_64 GenuineIntel 6"`."""
    facts = _cpuinfo()
    known = [facts[name] for name in ("vendor_id", "cpu family") if name in facts]
    return " ".join([platform.machine(), *known])


def instruction_sets() -> str:
    """Returns the vector instruction sets of the CPU that affect bits, for example `"sse4_1 avx avx2 fma"`.

    On a system without `/proc/cpuinfo`, returns the name of its processor, or `"unknown"`.
    """
    facts = _cpuinfo()
    flags = facts.get("flags", facts.get("Features", "")).split()
    known = [name for name in INSTRUCTION_SETS if name in flags]
    return " ".join(known) or platform.processor() or UNKNOWN


def _cpuinfo() -> dict[str, str]:
    """Returns the facts that Linux reports about the first processor, or an empty dict on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    facts: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            facts.setdefault(name.strip(), value.strip())
    return facts


def onednn_enabled() -> bool:
    """Returns whether TensorFlow's oneDNN operations are on, which is the default and changes float32 results.

    Asks TensorFlow if it has been imported. Otherwise reads the environment variable that TensorFlow would read.
    """
    if "tensorflow" in sys.modules:
        try:
            from tensorflow.python.util import _pywrap_util_port
        except ImportError:
            pass  # the module is not public, and other releases may lack it
        else:
            return bool(_pywrap_util_port.IsMklEnabled())
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() not in ("0", "false")


def onednn_max_isa() -> str:
    """Returns the limit that `ONEDNN_MAX_CPU_ISA` or `DNNL_MAX_CPU_ISA` sets, for example `"AVX2"`, or `"ALL"`."""
    return (os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "ALL").upper()


def soxr_simd() -> str:
    """Returns what `SOXR_USE_SIMD32` or `SOXR_USE_SIMD` tell soxr about vector instructions, or `"default"`."""
    # soxr.c, should_use_simd32: the first of the two that is set decides.
    return os.environ.get("SOXR_USE_SIMD32") or os.environ.get("SOXR_USE_SIMD") or "default"


def differences(machines: list[dict[str, Any]]) -> str:
    """Describes how other machines differ from this one in the facts that change bits.

    Args:
        machines: The results of `machine` on the other machines.

    Returns:
        A description, or an empty string if nothing differs.

    Example:
        >>> differences([machine()])
        ''
        >>> differences([{**machine(), "onednn": None}])
        'Bits may differ from those computed here: oneDNN None there, ... here. Each rounds float32 in its own way.'
    """
    here = machine()
    return warning_of([fact for there in machines for fact in different_facts(there, here)])


def warning_of(different: list[str]) -> str:
    """Returns what to say about facts that differ, or an empty string if there are none.

    Args:
        different: Results of `different_facts`, which may repeat themselves.
    """
    facts = "; ".join(dict.fromkeys(different))
    return f"Bits may differ from those computed here: {facts}. Each rounds float32 in its own way." if facts else ""


def different_facts(there: dict[str, Any], here: dict[str, Any], *, every: bool = False) -> list[str]:
    """Returns the facts in which two machines differ, with both values. Settings that one lacks are left out.

    Args:
        there: The result of `machine` on another machine. A library that it does not name counts as another version.
        here: The result of `machine` on this one.
        every: Whether to compare every fact. If False, only those that are known to change bits are compared: the
            version of NumPy, for example, hardly ever does.

    Example:
        >>> here = machine()
        >>> there = {**here, "versions": {**here["versions"], "soxr": "0.1", "numpy": "2.0"}}
        >>> [fact.split()[0] for fact in different_facts(there, here)]
        ['soxr']
        >>> [fact.split()[0] for fact in different_facts(there, here, every=True)]
        ['soxr', 'NumPy']
    """
    theirs, ours = ({**dict.fromkeys(_DECIDING_VERSIONS), **facts["versions"], **facts} for facts in (there, here))
    named = _DECIDING_VERSIONS | _SETTINGS | (_OTHER_VERSIONS if every else {})
    return [
        f"{name} {theirs[key]} there, {ours[key]} here"
        for key, name in named.items()
        if key in theirs and key in ours and theirs[key] != ours[key]
    ]
