"""How much memory a process has had, by itself."""

from __future__ import annotations

from pathlib import Path


def peak_bytes() -> int:
    """This process's largest resident memory. (`getrusage` would count what the process had that started it.)"""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) * 1024
