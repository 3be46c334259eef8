"""Independent pieces of CPU work side by side, a thread each, instead of threads inside each call.

Where a result needs many calls, the threads of one call wait for each other, and all wait while
Python prepares the next. Torch's calls release Python's lock, so whole pieces can run at once.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")


def map_in_threads(work: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
    """`work` of each part, in order, by as many threads as torch uses on the CPU.

    Each piece computes in one thread, so that results do not depend on their number; so does the
    caller until the iterator is exhausted or closed. The first error in the order of the parts is
    raised once the pieces under way are done, and the rest is not begun. Modes that torch keeps by
    thread (inference, autocast) are for `work` to enter.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what new threads take over
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(work, parts)
    finally:
        try:
            pool.shutdown(cancel_futures=True)
        finally:
            torch.set_num_threads(threads)
