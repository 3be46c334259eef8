"""The report of a comparison of two data sets, for people."""

from typing import Any

from sasrec.base.errors import printable
from sasrec.comparing.datasets.comparison import NEARLY_EQUAL


def describe(report: dict[str, Any]) -> str:
    """The report of `data_comparison.compare` as lines of text, the verdict last."""
    ours, theirs = report["counts"]["reference"], report["counts"]["other"]
    lines = [f"{'':<20}{'reference':>12}{'other':>12}"]
    lines += [
        f"{what:<20}{ours[what]:>12,}{theirs[what]:>12,}  {_equal(ours[what] == theirs[what])}"
        for what in ours
    ]
    lines.append(f"sequence lengths    {_equal(report['equal_sequence_lengths'])} when sorted")
    lines.append(f"item popularities   {_equal(report['equal_item_popularities'])} when sorted")
    lines += _matching_lines(report["matching"], ours)
    lines += _order_lines(report["order"])
    lines = [printable(line) for line in lines]  # ids come from outside
    return "\n".join([*lines, "", *_verdict(report)])


def _equal(equal: bool) -> str:
    return "equal" if equal else "DIFFERENT"


def _matching_lines(matching: dict[str, Any], counts: dict[str, int]) -> list[str]:
    lines = [
        "",
        "under the best renaming found",
        f"  users with a counterpart   {_of(matching['users'], counts['users'])}",
        f"  items with a counterpart   {_of(matching['items'], counts['items'])}",
        f"  common interactions        "
        f"{_of(matching['common_interactions'], counts['interactions'])}",
    ]
    for name in ("reference", "other"):
        number = matching[f"only_in_{name}"]
        examples = matching[f"examples_in_{name}"]
        if number and matching["share_differing"] <= NEARLY_EQUAL:
            first = f", the first {len(examples)}" if number > len(examples) else ""
            lines.append(f"  only in {name}: {number:,}{first}")
            lines += [f"    {_example(name, example)}" for example in examples]
    return lines


def _example(name: str, example: dict[str, str | None]) -> str:
    across = "other" if name == "reference" else "reference"
    user, item = example["user_counterpart"], example["item_counterpart"]
    user = "user not found" if user is None else f"user {user}"
    item = "item not found" if item is None else f"item {item}"
    return (
        f"{name}: user {example['user']}, item {example['item']} has no counterpart "
        f"({across}: {user}, {item})"
    )


def _order_lines(order: dict[str, int]) -> list[str]:
    return [
        "order in time, places counted from the end",
        f"  equal positions            {_of(order['equal_positions'], order['positions'])}",
        f"  sequences equal throughout {_of(order['equal_sequences'], order['sequences'])}",
        f"  last items (test)          {_of(order['equal_last_items'], order['last_items'])}",
        f"  last but one (validation)  "
        f"{_of(order['equal_last_but_one_items'], order['last_but_one_items'])}",
    ]


def _of(part: int, whole: int) -> str:
    if part == whole:
        return f"all {whole:,}"
    # Rounded down, so that 100.00% never stands for nearly all.
    hundredths = part * 10_000 // whole
    return f"{part:,} of {whole:,} ({hundredths // 100}.{hundredths % 100:02}%)"


def _verdict(report: dict[str, Any]) -> list[str]:
    matching, order = report["matching"], report["order"]
    if report["equal"]:
        moved = order["positions"] - order["equal_positions"]
        kept = "in the same order" if moved == 0 else f"with {moved:,} positions in another order"
        return [f"EQUAL up to a relabelling of users and items, {kept}."]
    first = f"First difference: {report['first_difference']}."
    if matching["share_differing"] > NEARLY_EQUAL:
        share = 1 - matching["share_differing"]
        return [
            first,
            f"DIFFERENT: these are different data; the overlap found is {share:.1%} of them.",
        ]
    return [
        first,
        "DIFFERENT, but nearly the same data: without counterpart are "
        f"{matching['only_in_reference']:,} of the reference's interactions and "
        f"{matching['only_in_other']:,} of the other's.",
    ]
