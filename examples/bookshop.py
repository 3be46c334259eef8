"""An export of a shop that does not exist, as people have them: orders, and the books ordered.

    python examples/bookshop.py FOLDER          # orders.csv, books.csv
    python examples/bookshop.py FOLDER --later  # the same, and a month more: new readers, new books

Semicolons, Latin-1, days before months, ids with commas and dashes, order lines of one time,
orders without a customer. Who reads a volume of a series tends to go on with the next one.
"""

import argparse
import csv
import random
from datetime import datetime, timedelta
from pathlib import Path

SUBJECTS = ("crime", "fantasy", "gardens", "history", "kitchen", "love", "sea", "space")
AUTHORS = ("Åsa Lindén", "Béa Noël", "Jörg Kühn", "Lucía Peña", "Márta Szép", "Zoë Brontë")
ROLES = ("Keeper", "Thief", "House", "Daughter", "Road", "Song")
NOUNS = ("Clock", "Garden", "Harbour", "Letter", "Mill", "Orchard", "Raven", "Winter")
VOLUMES, SERIES, READERS = 6, 48, 900
START, DAYS, MONTH = datetime(2023, 1, 2, 8), 700, 30


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--later", action="store_true", help="a month later")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    end = START + timedelta(DAYS + MONTH * options.later)
    write(options.folder / "orders.csv", ("order date", "line", "customer", "article"), orders(end))
    write(
        options.folder / "books.csv", ("article", "title", "subject", "year"), books(options.later)
    )


def write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", encoding="latin-1", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(header)
        writer.writerows(rows)
    print(f"{path}: {len(rows):,} rows")


def article(series: int, volume: int) -> str:
    """Some begin with a dash, some have a comma."""
    return (f"-{series:02}{volume}", f"{series:02},{volume}")[series % 2]


def books(later: bool) -> list[tuple[object, ...]]:
    """The last volume of every sixth series appears later."""
    rows = []
    for series in range(SERIES):
        name = f"The {NOUNS[series % 8]} {ROLES[series // 8]}"
        for volume in range(1, VOLUMES + 1):
            if later or not appears_later(series, volume):
                title = f"{name} {volume} ({AUTHORS[series % 6]})"
                rows.append((article(series, volume), title, SUBJECTS[series // 6], 2015 + volume))
    return rows


def appears_later(series: int, volume: int) -> bool:
    return series % 6 == 0 and volume == VOLUMES


def orders(end: datetime) -> list[tuple[object, ...]]:
    """Order lines before `end`, in order of time; a reader's are the same whatever the end."""
    rows = []
    for reader in range(READERS):
        rows += [row for row in orders_of(reader) if row[0] < end]
    rows.sort(key=lambda row: row[0])
    return [(when.strftime("%d.%m.%Y %H:%M"), *rest) for when, *rest in rows]


def orders_of(reader: int) -> list[tuple[datetime, int, str, str]]:
    draw = random.Random(reader)
    name = f"Reader, {reader}" if draw.random() < 0.9 else ""  # who orders without an account
    subject = draw.randrange(8)
    read = {subject * 6 + draw.randrange(6): 0 for _ in range(2)}  # series: volumes so far
    when = START + timedelta(draw.uniform(0, DAYS + MONTH))
    rows = []
    for _ in range(draw.randrange(2, 14)):
        for line in range(1, draw.choice((1, 1, 2, 3)) + 1):
            if draw.random() < 0.25:  # another series, mostly of the same subject
                shelf = subject if draw.random() < 0.8 else draw.randrange(8)
                read.setdefault(shelf * 6 + draw.randrange(6), 0)
            series = draw.choice([one for one in read if read[one] < VOLUMES] or [0])
            read[series] = read.get(series, 0) + 1
            volume = read[series]
            new = appears_later(series, volume) and when < START + timedelta(DAYS)
            if volume <= VOLUMES and not new:
                rows.append((when, line, name, article(series, volume)))
        when = (when + timedelta(draw.expovariate(1 / 25))).replace(second=0, microsecond=0)
    return rows


if __name__ == "__main__":
    main()
