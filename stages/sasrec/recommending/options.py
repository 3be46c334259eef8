"""The command line of recommend.py."""

import argparse
import os
import sys
from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from sasrec.base.errors import UserError
from sasrec.recommending.writing import writer_of


class Typed(NamedTuple):
    """An item of a history as it was named: by its raw id, or by its title."""

    text: str
    is_title: bool = False

    @classmethod
    def title(cls, text: str) -> "Typed":
        return cls(text, is_title=True)


class Parser(argparse.ArgumentParser):
    """Says what to write where a value begins with a dash."""

    def error(self, message: str) -> NoReturn:
        if "expected one argument" in message:
            message += "; one that begins with a dash is written with =, as --item=-5"
        super().error(message)


def parse_options(
    description: str | None, arguments: Sequence[str] | None = None
) -> argparse.Namespace:
    """What was asked; ends the process with a sentence where that is nothing that can be done.

    Raises:
        UserError: the name of the output says no format.
    """
    parser = Parser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_who(parser)
    _add_what(parser)
    options = parser.parse_args(arguments)
    asked = [options.user is not None, options.users is not None, options.all_users]
    asked.append(options.history is not None)
    if sum(asked) > 1:
        parser.error("name one of --user, --users, --all-users, or the items of a history")
    if not any(asked) and not options.popular:
        parser.error("name --user, --users, --all-users, or a history by --item, --title, --items")
    if options.before_test and not any(asked[:3]):
        parser.error("--before-test goes with --user, --users or --all-users")
    if options.popular and (options.all_users or options.history is not None):
        parser.error("--popular goes with --user or --users, or alone")
    if options.k < 1:
        parser.error(f"-k {options.k}: expected 1 or more")
    if options.json and options.output:
        parser.error("--json prints; for a file name one that ends in .jsonl by --output")
    if options.output:
        writer_of(options.output)
    return options


def _add_who(parser: argparse.ArgumentParser) -> None:
    who = parser.add_argument_group("for whom")
    who.add_argument("--user", metavar="ID", help="raw id of a user")
    who.add_argument("--users", metavar="FILE", help="a file of raw ids, one a line; - is stdin")
    who.add_argument("--all-users", action="store_true", help="every user of the data")
    name = {"action": "append", "dest": "history", "metavar": "ID"}
    who.add_argument(
        "--item",
        type=Typed,
        help="raw id of an item of the history; once for each, oldest first",
        **name,
    )
    who.add_argument(
        "--title",
        type=Typed.title,
        help='among them, an item by its title, or the beginning of it: "Toy Story (1995)"',
        **name | {"metavar": "TITLE"},
    )
    who.add_argument(
        "--items",
        type=lambda text: [Typed(one) for one in text.split(",")],
        help="several raw ids, separated by commas",
        **name | {"action": "extend", "metavar": "IDS"},
    )
    who.add_argument(
        "--popular",
        action="store_true",
        help="the most popular items of training, for users that the data does not know; alone, "
        "for somebody without a history",
    )
    who.add_argument(
        "--before-test",
        action="store_true",
        help="continue users' histories before the test target, as evaluate does",
    )


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument("-k", type=int, default=10, help="how many items (default 10)")
    several = {"action": "append", "metavar": "FILE|IDS"}
    what.add_argument("--only", help="items to choose from: a file of raw ids, or ids", **several)
    what.add_argument("--exclude", help="items to leave out, likewise", **several)
    what.add_argument("--include-seen", action="store_true", help="items of the history too")
    what.add_argument("--why", action="store_true", help="which of the history each rests on")
    how = parser.add_argument_group("how")
    how.add_argument("--output", type=Path, metavar="FILE", help=".csv, .parquet or .jsonl")
    how.add_argument("--json", action="store_true", help="print JSON, a line a list")


def read_ids(source: str) -> list[str]:
    """The raw ids in a text file, one a line; blank lines are none. "-" is standard input.

    Raises:
        UserError: it is missing, no text in UTF-8, or without any id.
    """
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        lines = content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except FileNotFoundError:
        raise UserError(f"{source} not found: expected a file of raw ids, one a line") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not a text in UTF-8 ({error.reason})") from None
    ids = [line for line in lines if line.strip()]
    if not ids:
        raise UserError(f"{source} holds no id: expected raw ids, one a line")
    return ids


def named_items(values: Sequence[str], known: Container[str]) -> list[str]:
    """Raw ids that --only or --exclude name: each an id, a file of them, or several with commas."""
    ids: list[str] = []
    for value in values:
        if value in known:
            ids.append(value)
        elif os.path.isfile(value):
            ids += read_ids(value)
        else:
            ids += value.split(",")
    return ids
