"""What the stage download leaves in data/raw: the source files and source.json."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.sources.datasets import DATASETS, Companions, Dataset
from sasrec.sources.fetching import digest, obtain
from sasrec.sources.params import DataParams
from sasrec.sources.source_facts import SourceFacts
from sasrec.sources.synthetic import write_synthetic

INTERACTIONS, ITEMS = "interactions", "items"  # the user's own files, whatever their suffixes
PACKED = (".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip")  # what may follow another suffix
HIDDEN = ("_", ".")  # as Spark's _SUCCESS, and checksums beside parts


def collect(
    params: DataParams, folder: Path, *, report: Callable[[str], None] = print
) -> SourceFacts:
    """Put the dataset's source files into `folder`; return what source.json is to say of them.

    Args:
        report: where a sentence goes on companions that cannot be got.

    Raises:
        UserError: a file is missing, cannot be fetched, or has a wrong checksum.
    """
    dataset = DATASETS[params.name]
    licence = dataset.licence
    if dataset.download is not None:
        unpack(obtain(dataset.download), dataset, folder)
        origin = dataset.download.origin
        if dataset.companions is not None and _add(dataset.companions, params.name, folder, report):
            origin = "; ".join([origin, *(one.origin for one in dataset.companions.downloads)])
            licence = f"{licence}; {dataset.companions.licence}"
    elif dataset.format == "local":
        _copy_local(Path(params.path), folder, INTERACTIONS, "data.path")
        _copy_local(Path(params.items.path), folder, ITEMS, "data.items.path")
        origin = Path(params.path).name  # without its folder, which differs between machines
    else:
        size = params.synthetic.model_dump()
        write_synthetic(folder / "interactions.parquet", **size)
        origin = "generated: " + ", ".join(f"{key} {value}" for key, value in size.items())
    return SourceFacts(
        dataset=params.name,
        origin=origin,
        sha256={
            path.relative_to(folder).as_posix(): digest(path, "sha256")
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
        licence=licence,
        citation=dataset.citation,
    )


def _add(companions: Companions, name: str, folder: Path, report: Callable[[str], None]) -> bool:
    """Copy the companions of the dataset `name`, or say why it comes without them.

    It was had without them before, and their hosts may be gone or out of reach.
    """
    try:
        paths = [obtain(download) for download in companions.downloads]
    except UserError as error:
        files = " and ".join(download.file for download in companions.downloads)
        report(
            f"Mind: {name} comes without {companions.what}, which need {files}: {error}; then "
            "`dvc repro --force download`"
        )
        return False
    for path in paths:
        shutil.copyfile(path, folder / path.name)
    return True


def unpack(source: Path, dataset: Dataset, folder: Path) -> None:
    """Copy the file, or the members that are wanted from the archive that it is."""
    if not dataset.members:
        shutil.copyfile(source, folder / source.name)
        return
    with zipfile.ZipFile(source) as archive:
        for member, expected in dataset.members.items():
            target = folder / Path(member).name
            with archive.open(member) as stream, target.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
            # The archive's own checksum held, so this can only be a mistake in the registry.
            assert expected in (None, digest(target, "sha256")), member


def _copy_local(path: Path, folder: Path, stem: str, key: str) -> None:
    """Copy the user's file, or the files below a folder, into `folder` under the name `stem`."""
    if path.is_dir():
        _copy_folder(path, folder / stem, key)
        return
    if not path.is_file():
        raise UserError(f"{key} = {str(path)!r}: there is no such file")
    if path.stat().st_size == 0:
        raise UserError(f"{key} = {str(path)!r}: the file is empty")
    count = 2 if path.suffix.lower() in PACKED else 1
    shutil.copyfile(path, folder / f"{stem}{''.join(path.suffixes[-count:]).lower()}")


def _copy_folder(path: Path, target: Path, key: str) -> None:
    parts = [
        part
        for part in (found.relative_to(path) for found in sorted(path.rglob("*")))
        if not any(name.startswith(HIDDEN) for name in part.parts) and (path / part).is_file()
    ]
    if not parts:
        raise UserError(
            f"{key} = {str(path)!r} is a folder without files (those named _… and .… do not count)"
        )
    for part in parts:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path / part, target / part)
