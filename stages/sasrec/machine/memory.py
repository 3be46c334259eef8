"""The memory of this process: how much it can still get, and keeping what it freed.

A container's limit (a control group of Linux) lies above the process, under either of two layouts:
https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html.
"""

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

# Parameters of mallopt(3) in GNU's C library.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
LARGEST = 32 << 20  # the largest threshold that the library takes, in bytes
GROUPS, OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def available_memory(groups: Path = GROUPS, own: Path = OWN_GROUPS) -> int:
    """Bytes that this process can still get: of the machine, and within the limits set for it.

    Args:
        groups: where control groups are mounted.
        own: the file that says which of them this process is in.
    """
    bounds = [psutil.virtual_memory().available + psutil.swap_memory().free]
    process = psutil.Process()
    if hasattr(process, "rlimit"):  # as set by `ulimit -v`
        most = process.rlimit(psutil.RLIMIT_AS)[0]
        if most != psutil.RLIM_INFINITY:
            bounds.append(most - process.memory_info().vms)
    return max(0, min([*bounds, *_left_in_groups(groups, own)]))


def _left_in_groups(groups: Path, own: Path) -> Iterator[int]:
    """What each control group with a limit around this process has left."""
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = groups / "memory" if controllers else groups
        limit, used = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if controllers
            else ("memory.max", "memory.current")
        )
        # In a container the path may be that of the host: then the top is the container's own.
        for group in [top, *(top / part for part in _prefixes(path))]:
            try:
                most, now = int((group / limit).read_text()), int((group / used).read_text())
                pages = dict(
                    row.split() for row in (group / "memory.stat").read_text().splitlines()
                )
            except (OSError, ValueError):  # no such group, or "max"
                continue
            # The pages of files are given back when they are needed.
            files = sum(int(pages.get(name, 0)) for name in ("active_file", "inactive_file"))
            yield most - now + files


def _prefixes(path: str) -> list[str]:
    """a, a/b and a/b/c of /a/b/c."""
    parts = [part for part in path.split("/") if part]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def keep_freed_memory() -> None:
    """Let arrays up to 32 MiB come from memory that the process already has.

    Every step allocates the same arrays again. By default the larger ones are mapped anew each
    time, and every page of theirs is first touched through the kernel: a tenth of the time of an
    epoch on MovieLens-1M. Does nothing where the C library is not GNU's.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(M_MMAP_THRESHOLD, LARGEST)
        library.mallopt(M_TRIM_THRESHOLD, 1 << 30)
        library.mallopt(M_TOP_PAD, 64 << 20)
