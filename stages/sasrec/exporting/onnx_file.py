"""model.onnx: the model as a graph that other programs run without PyTorch.

Shapes: B sequences, L columns of a row, N items.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

from sasrec.base.errors import UserError
from sasrec.exporting.graph import NextItemScores

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
ITEMS, SCORES = "items", "scores"  # names in the graph; columns have their own
DTYPES = {"rating": torch.float32, "timestamp": torch.int64}
LARGEST = 2**30 + 2**29  # bytes of weights in one file, which cannot be 2 GiB


def check_packages() -> None:
    """Raise UserError if a package is missing that the export needs."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"model.onnx needs the package {' and '.join(missing)}: run `pip install -r "
            "requirements-export.txt` first, or leave it out by --no-onnx"
        )


def write_onnx(graph: NextItemScores, path: Path, facts: Mapping[str, str]) -> None:
    """Write the graph, open in B and L; weights that are too large for one file lie beside it.

    Args:
        graph: in eval mode.
        facts: texts for the file's metadata.

    Raises:
        UserError: the model has a part that torch cannot export.
    """
    # Sizes that are no 0 or 1, which would be taken for fixed ones; each input a tensor of its own,
    # since one that is given twice would be read once.
    items, *columns = (
        torch.ones((2, 3), dtype=dtype)
        for dtype in (torch.int64, *(DTYPES[name] for name in graph.columns))
    )
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    shapes = (sizes, tuple(sizes for _ in columns)) if columns else (sizes,)
    weights = sum(weight.numel() * weight.element_size() for weight in graph.parameters())
    with _quiet():
        try:
            program = torch.onnx.export(
                graph,
                (items, *columns),
                dynamo=True,
                input_names=[ITEMS, *graph.columns],
                output_names=[SCORES],
                dynamic_shapes=shapes,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise UserError(
                f"this model cannot be written as ONNX: {reason}; `--no-onnx` writes the rest"
            ) from None
        program.model.metadata_props.clear()
        program.model.metadata_props.update(facts)
        for node in program.model.graph:  # where in our code it comes from, with paths
            node.metadata_props.clear()
        program.save(path, external_data=weights > LARGEST)
    _check_open(path)


def _check_open(path: Path) -> None:
    """Raise UserError if a part of the model fixed a size, as torch allows it to."""
    import onnx

    (first, *_) = onnx.load(path, load_external_data=False).graph.input
    if not all(size.dim_param for size in first.type.tensor_type.shape.dim):
        raise UserError(
            "this model cannot be written as ONNX: a part of it works with one size of batch, or "
            "one length, alone; `--no-onnx` writes the rest"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Torch's exporter tells of packages that it would also know, and of its own deprecations."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
