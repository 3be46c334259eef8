"""Get the source files of the dataset that `data.name` names.

Reads   params.yaml (data.name, data.path, data.items, data.synthetic), and the network, the folder
        named by the environment variable SASREC_MIRROR, or the files (or folders) data.path and
        data.items.path.
Writes  data/raw/: the source files byte for byte, and source.json (dataset, origin, SHA-256
        of each file, licence, citation). Every published file is checked first. Where the films
        behind ml-1m-sasrec (movies.dat, sas_to_original_items.txt) cannot be got, a line says so,
        and the dataset comes without titles, years and genres.

A file in SASREC_MIRROR, under its published name, is used instead of the network; a relative
folder counts from the repository's root. Downloads are kept in .cache/downloads/.
"""

from pathlib import Path

from sasrec.base.outputs import Outputs
from sasrec.base.params import load_params
from sasrec.base.script import run_stage
from sasrec.sources.collecting import collect
from sasrec.sources.params import DataParams
from sasrec.sources.source_facts import write_source_facts

RAW = Path("data/raw")
OUTPUTS = Outputs(RAW, folders=(RAW,))
MOST_NAMES = 10


def main() -> None:
    """Run the stage."""
    params = load_params("data", DataParams)
    with OUTPUTS.new() as new:
        source = collect(params, new[RAW])
        write_source_facts(new[RAW], source)
    names = list(source.sha256)
    shown = ", ".join(names[:MOST_NAMES]) + f" and {len(names) - MOST_NAMES} more" * (
        len(names) > MOST_NAMES
    )
    print(f"{params.name}: {shown} from {source.origin}, in {RAW}/")


if __name__ == "__main__":
    run_stage(main, __doc__)
