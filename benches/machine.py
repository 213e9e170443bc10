"""What a run was measured on and with. No names and no paths."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

import agenttrace


def machine() -> str:
    """Date, processor, cores, memory, system, Python and ourselves, in a sentence."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return (
        f"Measured on {datetime.now(timezone.utc):%d %B %Y} with agenttrace {agenttrace.__version__}, "
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()}"
        f" {platform.release().split('-')[0]}, on {_processor()}, {os.cpu_count()} cores,"
        f" {pages / 2**30:.0f} GiB of memory; files in the page cache."
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def versions(python: Optional[str], jaq: Optional[str]) -> list[str]:
    """Of the tools and packages that were compared with; what is missing is said."""
    found = []
    for name, program in (("jq", shutil.which("jq")), ("jaq", jaq), ("zstd", shutil.which("zstd"))):
        found.append(_version(name, [program, "--version"]) if program else f"no {name}")
    for package in ("structlog", "opentelemetry-sdk", "duckdb"):
        code = f"import importlib.metadata as m; print(m.version({package!r}))"
        found.append(_version(package, [python, "-c", code]) if python else f"no {package}")
    return found


def _version(name: str, command: list[str]) -> str:
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    number = re.search(r"\d+\.\d[\w.]*", out)
    return f"{name} {number[0] if number else '?'}"
