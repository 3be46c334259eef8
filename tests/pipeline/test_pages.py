"""README.md and docs/: links lead somewhere, to a heading too; what commands name is there."""

import re
import shlex
from itertools import pairwise

import pytest
import yaml
from pages import blocks
from places import ROOT, STAGES

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
SOURCES = "".join(path.read_text("utf-8") for path in sorted(STAGES.rglob("*.py")))


def commands(page):
    """The words of each line of the shell, without what a shell makes of them."""
    typed = re.findall(r"^\$ (.*)$", page.read_text("utf-8"), re.M)  # above what came out
    for block in [*blocks(page, "bash"), *typed]:
        for line in block.replace("\\\n", " ").splitlines():
            yield shlex.split(line, comments=True)


def keys(section, above=""):
    """`train.seed` and so on of a part of params.yaml."""
    for name, value in section.items():
        if isinstance(value, dict):
            yield from keys(value, f"{above}{name}.")
        else:
            yield above + name


KEYS = set(keys(PARAMS))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_commands_name_is_there(page):
    for words in commands(page):
        for flag, setting in pairwise(words):
            if flag == "-S":
                assert setting.split("=")[0] in KEYS, setting
        scripts = [word for word in words if re.fullmatch(r"(stages|examples)/\w+\.py", word)]
        for script in scripts:
            assert (ROOT / script).is_file(), script
            own = SOURCES if script.startswith("stages") else (ROOT / script).read_text("utf-8")
            for option in words[words.index(script) + 1 :]:
                name = option.split("=")[0]
                assert not name.startswith("--") or f'"{name}"' in own, (script, name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_parameters_of_a_page_are_there(page):
    for block in blocks(page, "yaml"):
        shown = yaml.safe_load(block)
        if shown.keys() <= PARAMS.keys():
            assert set(keys(shown)) <= KEYS


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", outside, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8"))
    assert links
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not heading or heading in anchors(target.read_text("utf-8")), link


def test_the_readme_names_every_page():
    text = (ROOT / "README.md").read_text("utf-8")
    pages = [page.relative_to(ROOT).as_posix() for page in PAGES[1:]]
    assert [page for page in pages if f"({page})" not in text] == []
