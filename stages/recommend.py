"""The best next items: for a user of the data, for all of them, or after items that you name.

    python stages/recommend.py --user 42
    python stages/recommend.py --all-users --output recs.parquet
    python stages/recommend.py --title "Toy Story (1995)" --item 181 --why

Ids are those of the source (raw ids). All that is known of a user counts; with --before-test only
what lies before the test target, or before the cut by time. Items of the history are recommended
only with --include-seen, or if the model was validated so (evaluate.filter_seen: false). Who has
no history gets the most popular items of training. Reads data/model/, data/interactions/; where
somebody gets what is popular data/split/train/; with --before-test data/split/test/.
"""

import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
import sys

from sasrec.base.errors import printable
from sasrec.base.files import new_file
from sasrec.base.script import run_main
from sasrec.recommending.asking import ask
from sasrec.recommending.options import parse_options
from sasrec.recommending.recommender import Recommender
from sasrec.recommending.writing import csv_to, json_to, text_to, writer_of

MODEL = "data/model"


def main() -> None:
    options = parse_options(__doc__)
    recommender = Recommender.load(MODEL, before_test=options.before_test, report=say)
    tables = ask(options, recommender, say)
    if options.output:
        with new_file(options.output) as new, writer_of(options.output)(new) as write:
            for table in tables:
                write(table)
        tables.tell_done()
        return
    if options.json:
        write = json_to(sys.stdout)
    elif options.all_users or options.users:
        write = csv_to(sys.stdout, shown=sys.stdout.isatty())
    else:
        write = text_to(sys.stdout)
    for table in tables:
        write(table)


def say(line: str) -> None:
    print(printable(line), file=sys.stderr)


if __name__ == "__main__":
    run_main(main)
