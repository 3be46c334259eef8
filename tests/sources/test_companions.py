"""Files that tell more of a dataset: got with it where they can be, else a sentence."""

import hashlib
import zipfile

import pytest

from sasrec.base.errors import UserError
from sasrec.sources.collecting import collect
from sasrec.sources.datasets import DATASETS, Checksum, Companions, Dataset, Download
from sasrec.sources.fetching import obtain
from sasrec.sources.params import DataParams

NAME = "ml-1m-sasrec"
CONTENT = {"main.txt": b"1 1\n", "films.dat": b"7::X\n", "map.txt": b"1 7\n"}
UNREACHABLE = "http://127.0.0.1:9/"


def download(file: str, **where: object) -> Download:
    checksum = Checksum("sha256", hashlib.sha256(CONTENT[file]).hexdigest())
    return Download(file, (checksum,), **where or {"url": UNREACHABLE + file})


def archive_of(path) -> Download:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/films.dat", CONTENT["films.dat"])
    checksum = Checksum("sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    return Download(path.name, (checksum,), url=UNREACHABLE + path.name)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror with all files, films.dat in an archive; a dataset and its two companions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("SASREC_MIRROR", str(folder))
    for file in ("main.txt", "map.txt"):
        (folder / file).write_bytes(CONTENT[file])
    films = download("films.dat", archive=archive_of(folder / "all.zip"), member="folder/films.dat")
    companions = Companions("titles", (films, download("map.txt")), "map.txt is free")
    dataset = Dataset(
        "sasrec", "theirs", None, download=download("main.txt"), companions=companions
    )
    monkeypatch.setattr("sasrec.sources.collecting.DATASETS", {NAME: dataset})
    (tmp_path / "raw").mkdir()
    return folder


def collected(mirror):
    """What source.json says, what is in data/raw, and what was said."""
    said = []
    raw = mirror.parent / "raw"
    params = DataParams.model_construct(name=NAME)
    facts = collect(params, raw, report=said.append)
    return facts, {path.name: path.read_bytes() for path in raw.iterdir()}, said


def test_all_are_got_and_told_of(mirror):
    facts, files, said = collected(mirror)
    assert files == CONTENT
    assert sorted(facts.sha256) == sorted(CONTENT)
    assert facts.origin == (
        f"{UNREACHABLE}main.txt; folder/films.dat in {UNREACHABLE}all.zip; {UNREACHABLE}map.txt"
    )
    assert facts.licence == "theirs; map.txt is free"
    assert said == []


def test_a_member_lies_in_the_mirror_by_its_own_name(mirror):
    (mirror / "all.zip").unlink()
    (mirror / "films.dat").write_bytes(CONTENT["films.dat"])
    assert collected(mirror)[1] == CONTENT


def test_a_member_is_kept(mirror):
    collected(mirror)
    (mirror / "all.zip").unlink()
    assert collected(mirror)[1] == CONTENT


@pytest.mark.parametrize("lacking", ["all.zip", "map.txt"])
def test_without_one_of_them_the_dataset_comes_alone(mirror, lacking):
    (mirror / lacking).unlink()
    facts, files, (said,) = collected(mirror)
    assert files == {"main.txt": CONTENT["main.txt"]}
    assert list(facts.sha256) == ["main.txt"]
    assert (facts.origin, facts.licence) == (f"{UNREACHABLE}main.txt", "theirs")
    start = f"Mind: {NAME} comes without titles, which need films.dat and map.txt: cannot get"
    assert said.startswith(f"{start} {lacking} (http")
    assert said.endswith(
        f"put {lacking} in a folder and name it in SASREC_MIRROR; then `dvc repro --force download`"
    )


def test_a_wrong_one_is_not_taken(mirror):
    (mirror / "map.txt").write_bytes(b"1 8\n")
    _, files, (said,) = collected(mirror)
    assert list(files) == ["main.txt"]
    assert "map.txt (in SASREC_MIRROR) is not the file that is meant" in said


def test_a_member_of_a_published_archive_that_is_another_is_not_taken(mirror):
    other = download("map.txt", archive=archive_of(mirror / "all.zip"), member="folder/films.dat")
    (mirror / "map.txt").unlink()
    with pytest.raises(UserError, match=r"map.txt from folder/films.dat in http.*meant"):
        obtain(other)


def test_the_registry_s_companions_have_checksums_and_names_of_their_own():
    for dataset in DATASETS.values():
        if dataset.companions is not None:
            downloads = dataset.companions.downloads
            assert all(one.checksums for one in downloads)
            files = [one.file for one in (dataset.download, *downloads)]
            assert len(set(files)) == len(files)
