"""How much memory the tensors of a block of code hold."""

import weakref

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class HeldMemory(TorchDispatchMode):
    """Counts what torch's functions allocate in a `with` block, until it is freed.

    Attributes:
        now: bytes of what was made in the block and still is there.
        most: the most that there were at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._storages: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **kwargs or {})
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._add(leaf.untyped_storage())
        return result

    def _add(self, storage) -> None:
        place, size = storage._cdata, storage.nbytes()
        if place in self._storages:
            return

        def freed(_) -> None:
            del self._storages[place]
            self.now -= size

        self._storages[place] = weakref.ref(storage, freed)
        self.now += size
        self.most = max(self.most, self.now)
