"""The datasets that `data.name` may name: origin, checksums, format, licence, known counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Checksum:
    """A digest that a file must have; `git-blob` is git's id of the file's content."""

    kind: Literal["sha256", "md5", "git-blob"]
    digest: str


@dataclass(frozen=True)
class Download:
    """One file of the network: a URL, a pip requirement whose wheel it is, or an archive's member.

    Attributes:
        file: its name in a mirror folder and in the cache.
        member: its path in `archive`.
    """

    file: str
    checksums: tuple[Checksum, ...]
    url: str | None = None
    requirement: str | None = None
    archive: "Download | None" = None
    member: str | None = None

    @property
    def origin(self) -> str:
        """Where the file comes from, for people."""
        if self.archive is not None:
            return f"{self.member} in {self.archive.origin}"
        return self.url or f"the Python wheel {self.requirement}"


@dataclass(frozen=True)
class Companions:
    """Files that tell more of a dataset, which does without them: all of them are got, or none.

    Attributes:
        what: they tell.
        licence: what is to be known of theirs beside the dataset's.
    """

    what: str
    downloads: tuple[Download, ...]
    licence: str


@dataclass(frozen=True)
class Counts:
    """How many users, items and interactions a dataset has."""

    users: int
    items: int
    interactions: int


@dataclass(frozen=True)
class Dataset:
    """One row of the registry.

    Attributes:
        format: the parser (see `sasrec.preparing.parsing`).
        download: what to fetch; None for the user's own file and for generated data.
        members: when the download is an archive, the path in it of each file to keep, and
            the file's SHA-256 where it is known.
        companions: what else may be fetched.
        source_counts: the counts of the source, before any cleaning.
        filtered_counts: the counts that `filter: once` at 5 interactions leaves of all ratings.
    """

    format: Literal["recbole", "movielens", "sasrec", "local", "synthetic"]
    licence: str | None
    citation: str | None
    download: Download | None = None
    members: Mapping[str, str | None] = field(default_factory=dict)
    companions: Companions | None = None
    source_counts: Counts | None = None
    filtered_counts: Counts | None = None


_MOVIELENS_LICENCE = (
    "GroupLens terms of use: research, no commercial use and no redistribution without permission"
)
_AMAZON_LICENCE = "no licence stated; Amazon reviews collected by McAuley et al. for research"
_STEAM_LICENCE = "no licence stated; Steam reviews collected by Kang and McAuley for research"
_MOVIELENS_CITATION = (
    "F. M. Harper, J. A. Konstan. The MovieLens Datasets: History and Context. "
    "ACM TiiS 5(4), 2015. doi:10.1145/2827872"
)
_SASREC_CITATION = (
    "W.-C. Kang, J. McAuley. Self-Attentive Sequential Recommendation. ICDM 2018. arXiv:1808.09781"
)
_SASREC_DATA = "https://raw.githubusercontent.com/kang205/SASRec/master/data/"
_ML_100K = "recbole/dataset_example/ml-100k/ml-100k"
_ML_1M = Download(
    "ml-1m.zip",
    (
        Checksum("sha256", "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"),
        Checksum("md5", "c4d9eecfca2ab87c1945afe126590906"),
    ),
    url="https://files.grouplens.org/datasets/movielens/ml-1m.zip",
)
FILMS, MAPPING = "movies.dat", "sas_to_original_items.txt"
_ML_1M_COMPANIONS = Companions(
    "titles, years and genres",
    (
        Download(
            FILMS,
            (
                Checksum(
                    "sha256", "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9"
                ),
            ),
            archive=_ML_1M,
            member=f"ml-1m/{FILMS}",
        ),
        Download(
            MAPPING,
            (
                Checksum(
                    "sha256", "9ae42c23af0b0fe2f189b9d5acc6cf3936bffe1a9568390cf5d100c0c1b1fca1"
                ),
            ),
            url="https://raw.githubusercontent.com/asash/ml1m-sas-mapping/"
            f"d27e2bf2021e12764e7bf7b985091edd7c8d2f79/{MAPPING}",
        ),
    ),
    licence=f"{MAPPING}, which A. Petrov recovered, states no licence",
)


def _sasrec(
    file: str,
    checksum: Checksum,
    licence: str,
    citation: str,
    counts: Counts | None = None,
    companions: Companions | None = None,
) -> Dataset:
    """One of the files that the authors of SASRec publish."""
    return Dataset(
        format="sasrec",
        licence=licence,
        citation=citation,
        download=Download(file, (checksum,), url=_SASREC_DATA + file),
        companions=companions,
        source_counts=counts,
    )


DATASETS: Mapping[str, Dataset] = {
    "ml-100k": Dataset(
        format="recbole",
        licence=_MOVIELENS_LICENCE,
        citation=_MOVIELENS_CITATION,
        download=Download(
            "recbole-1.2.1-py3-none-any.whl",
            (
                Checksum(
                    "sha256", "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
                ),
            ),
            requirement="recbole==1.2.1",
        ),
        members={
            f"{_ML_100K}.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
            f"{_ML_100K}.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
            f"{_ML_100K}.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
        },
        source_counts=Counts(943, 1682, 100_000),
        filtered_counts=Counts(943, 1349, 99_287),
    ),
    "ml-1m": Dataset(
        format="movielens",
        licence=_MOVIELENS_LICENCE,
        citation=_MOVIELENS_CITATION,
        download=_ML_1M,
        members={"ml-1m/ratings.dat": None, f"ml-1m/{FILMS}": None, "ml-1m/users.dat": None},
        source_counts=Counts(6040, 3706, 1_000_209),
        filtered_counts=Counts(6040, 3416, 999_611),
    ),
    "ml-1m-sasrec": _sasrec(
        "ml-1m.txt",
        Checksum("sha256", "b725f3acb3986fe3130bffd1e77a74d182a1f51799567a236dbd60270f95b0a2"),
        _MOVIELENS_LICENCE,
        f"{_SASREC_CITATION}; {_MOVIELENS_CITATION}",
        Counts(6040, 3416, 999_611),
        _ML_1M_COMPANIONS,
    ),
    "games-sasrec": _sasrec(
        "Video.txt",
        Checksum("sha256", "b7376fe24430743f411dc7f567285657b2adb3f74361cc7ba0aee94f3024b651"),
        _AMAZON_LICENCE,
        _SASREC_CITATION,
        Counts(31_013, 23_715, 287_107),
    ),
    "beauty-sasrec": _sasrec(
        "Beauty.txt",
        Checksum("git-blob", "cee2ab468d220772a9dfefed9aa9c492dc9b3418"),
        _AMAZON_LICENCE,
        _SASREC_CITATION,
    ),
    "steam-sasrec": _sasrec(
        "Steam.txt",
        Checksum("git-blob", "a0e80e7ae37ef2cf9410daf23c3e28ea6f6c31b7"),
        _STEAM_LICENCE,
        _SASREC_CITATION,
    ),
    "local": Dataset(format="local", licence=None, citation=None),
    "synthetic": Dataset(format="synthetic", licence=None, citation=None),
}
