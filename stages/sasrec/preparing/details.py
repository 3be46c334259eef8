"""What the sources' own tables tell of users and items, films above all."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Details
from sasrec.preparing.tables import check_rows
from sasrec.preparing.text_tables import TextFormat, read_text

FILM_FORMAT = TextFormat("::", names=("item", "title", "genres"), encoding="latin-1")
MAPPING_FORMAT = TextFormat(" ", names=("item", "film"))


def read_details(path: Path, form: TextFormat, key: str, columns: Mapping[str, str]) -> Details:
    """The details of each id in `path`; `columns` maps our names to the file's."""
    table = check_rows(read_text(path, [key, *columns.values()], form, str(path))).columns
    fields = zip(*(table[name].to_pylist() for name in columns.values()), strict=True)
    return Details(tuple(columns), dict(zip(table[key].to_pylist(), fields, strict=True)))


def read_films(path: Path) -> Details:
    """movies.dat of MovieLens: title, year and genres, these with `|` between them."""
    films = read_details(path, FILM_FORMAT, "item", {"title": "title", "genres": "genres"})
    rows = {key: (*_title_and_year(title), genres) for key, (title, genres) in films.rows.items()}
    return Details(("title", "year", "genres"), rows)


def read_mapped_films(films_path: Path, mapping_path: Path, items: Sequence[str]) -> Details:
    """The films' details by the ids of a file that numbered them anew.

    Args:
        mapping_path: lines `item film`: the new id, and the one of movies.dat.
        items: the new ids.

    Raises:
        UserError: the mapping is not one to one between `items` and films.
    """
    films = read_films(films_path)
    table = read_text(mapping_path, ["item", "film"], MAPPING_FORMAT, str(mapping_path))
    mapped, originals = (table.columns[name].to_pylist() for name in ("item", "film"))
    if sorted(mapped) != sorted(items):
        raise UserError(
            f"{mapping_path} maps {len(mapped):,} ids, expected each of the {len(items):,} items "
            "once; run download.py again"
        )
    if len(set(originals)) != len(originals):
        raise UserError(f"{mapping_path} maps two items to one film; run download.py again")
    for row, film in enumerate(originals):
        if film not in films.rows:
            table.fail(row, f"{film!r} is no film of {films_path}; run download.py again")
    rows = {item: films.rows[film] for item, film in zip(mapped, originals, strict=True)}
    return Details(films.columns, rows)


def _title_and_year(title: str) -> tuple[str, str]:
    """'Toy Story (1995)' as ('Toy Story', '1995')."""
    found = re.fullmatch(r"(.*?)\s*\((\d{4})\)\s*", title)
    return (found[1], found[2]) if found else (title, "")
