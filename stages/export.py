"""Write what others need to use the model: data/export/.

    python stages/export.py            # then `dvc add data/export`, and `dvc push`
    python stages/export.py --no-onnx  # without the packages of requirements-export.txt

model.onnx      the model as a graph: items int64 [batch, length], padded with 0, of which the
                latest max_length count; scores float32 [batch, items + 1], column 0 for none.
                What a model reads beside items is an input of its own: rating float32 (NaN where
                not known), timestamp int64. Checked against PyTorch on histories of the data:
                a graph that differs is not kept
items.csv       each item's number, raw id and title
model_card.md   data, parameters, metrics with intervals beside the baselines, limits, licence

Reads data/model/, data/interactions/; for the card data/raw/source.json, metrics/ and plots/.
"""

import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
import argparse
from pathlib import Path

import torch

from sasrec.base.files import new_file
from sasrec.base.outputs import Outputs
from sasrec.base.script import run_main
from sasrec.exporting.card import model_card
from sasrec.exporting.check import Agreement, check_onnx
from sasrec.exporting.graph import NextItemScores
from sasrec.exporting.item_table import write_items
from sasrec.exporting.onnx_file import check_packages, write_onnx
from sasrec.exporting.run_facts import MODEL, read_run
from sasrec.model.checkpoint import ModelDescription, load_model
from sasrec.recommending.histories import check_data_of_model, whole_histories
from sasrec.recommending.names import ItemNames

INTERACTIONS = Path("data/interactions")
EXPORT = Path("data/export")
OUTPUTS = Outputs(EXPORT, folders=(EXPORT,))


def main() -> None:
    arguments = parse_arguments()
    run = read_run()
    description = run.description
    check_data_of_model(description, MODEL, INTERACTIONS)
    if arguments.onnx:
        check_packages()
    names = ItemNames(INTERACTIONS, description.num_items)
    with OUTPUTS.new() as new:
        folder = new[EXPORT]
        write_items(folder / "items.csv", names)
        agreement = export_model(description, folder / "model.onnx") if arguments.onnx else None
        examples = names.raw_ids[1], names.raw_ids[min(2, description.num_items)]
        with new_file(folder / "model_card.md") as card:
            card.write_text(model_card(run, examples, agreement), encoding="utf-8", newline="\n")
    if agreement is not None:
        print(
            f"model.onnx: {agreement.histories} histories, scores differ from PyTorch's by at "
            f"most {agreement.difference:.1e}, the same 10 best for {agreement.same_top}"
        )
    print(f"written to {EXPORT}/; `dvc add {EXPORT}` keeps it with DVC")


def export_model(description: ModelDescription, path: Path) -> Agreement:
    model = load_model(MODEL, torch.device("cpu"))
    graph = NextItemScores(model).eval()
    facts = description.data
    write_onnx(
        graph,
        path,
        {
            "dataset": facts.name,
            "fingerprint": facts.fingerprint,
            "max_length": str(graph.max_length),
            "time_unit": facts.time_unit or "",
        },
    )
    return check_onnx(path, graph, whole_histories(INTERACTIONS))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--no-onnx", dest="onnx", action="store_false", help="the item table and the card alone"
    )
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
