"""Comparing two experiments: what is refused, and in which words."""

import re

import pytest
from toy_results import compare, random_ranks, seeded, write_lock, write_results

from compare import main
from sasrec.base.errors import UserError
from sasrec.base.script import run_main
from sasrec.comparing.runs.experiments import load_side

CAUSE = r" \(split.seed is 1 and 2\)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("sampled_100", "sampled_200"), "sampled_100 and sampled_200"),
        (lambda text: text.replace("\n60,560,", "\n61,560,"), "1 of 60 test users differ, .* 61"),
        (lambda text: text[: text.index("\n60,")], "they have 60 and 59 test users"),
        (
            lambda text: re.sub(r"\n7,507,7,[^,]*,", "\n7,507,7,,", text),
            "only one of them has a sampled_100 rank for user 7",
        ),
        (
            lambda text: text.replace("\n7,507,", "\n7,600,").replace("\n9,509,", "\n9,1,"),
            "2 of 60 targets of the users differ, the first of user 7 is 507 and 600",
        ),
    ],
)
def test_other_targets_are_refused_with_the_parameter_behind_them(here, change, message):
    write_results(here / "one", random_ranks(1), seeded(1) | {"split": {"seed": 1}})
    write_results(here / "two", random_ranks(2), seeded(2) | {"split": {"seed": 2}})
    path = here / "two" / "data" / "evaluation" / "ranks.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=rf"one \(A\) and two \(B\) cannot be .*{message}{CAUSE}"):
        compare("one", "two")


def test_the_last_run_of_a_side_is_checked_too(here):
    for seed, name in enumerate(("one", "two", "three", "four")):
        write_results(here / name, random_ranks(seed), seeded(seed))
    path = here / "four" / "data" / "evaluation" / "ranks.csv"
    path.write_text(path.read_text().replace("\n7,507,", "\n7,600,"))
    for a, b, label in (("one,two", "three,four", "B"), ("one,four", "two,three", "A")):
        with pytest.raises(UserError, match=rf"one \(A\) and four \({label}\) cannot be compared"):
            compare(a, b)


def test_other_candidates_or_another_ranking_are_refused(here):
    for name, md5 in (("one", "1"), ("two", "2"), ("three", "1")):
        write_results(here / name, random_ranks(int(md5) + len(name)))
        write_lock(here / name, {"evaluate.filter_seen": name != "three"}, md5)
    with pytest.raises(UserError, match="histories or candidates in data/split/test differ"):
        compare("one", "two")
    with pytest.raises(UserError, match=r"the other does not \(evaluate.filter_seen is true and"):
        compare("one", "three")


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("one", "./one", "one and ./one are the same run, and on both sides"),
        ("one,two", "two", "two and two are the same run"),
        ("one,one", "two", "A: one and one are the same run, all ranks are equal"),
        ("one,two,one", "two", "A: one and one are the same run, all ranks are equal"),
        ("one,copy", "two", "A: one and copy are the same run, all ranks are equal"),
        ("one,,two", "two", "A is 'one,,two': expected a name"),
        ("one", " ", "B is ' ': expected a name"),
        ("one", "./absent", "./absent: no such folder or file"),
        ("one", "empty", "empty: there is no data/evaluation/ranks.csv"),
    ],
)
def test_wrong_names_are_explained(here, a, b, message):
    for name, seed in (("one", 1), ("two", 2), ("copy", 1)):
        write_results(here / name, random_ranks(seed))
    (here / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        compare(a, b)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"has the columns \(none\): expected each once user, item, one sampled_N"),
        ("user,item,full\n1,2,3\n", "expected each once user, item, one sampled_N"),
        ("user,item,sampled_5,sampled_9,full\n1,2,3,3,3\n", "one sampled_N"),
        ("user,item,sampled_9,full,full\n1,2,1,1,3\n", "sampled_9, full, full: expected each once"),
        ("user,item,sampled_9,sampled_9,full\n1,2,1,1,3\n", "expected each once"),
        ("user;item;sampled_9;full\n1;2;1;1\n", "with commas between"),
        ("user,item,sampled_9,full\n1,2,1,1\n", "holds 1 user"),
        ("user,item,sampled_9,full\n1,2,1,1\n2,2,0.5,1\n", "line 3: sampled_9 is '0.5'"),
        ("user,item,sampled_9,full\n1,2,1,1\n2,2,10.5,1\n", "line 3: .* a rank from 1 to 10, or"),
        ("user,item,sampled_9,full\n1,2,1,\n2,2,1,1\n", "line 2: full is ''"),
        ("user,item,sampled_9,full\n1,2,1,1\n\n2,2,1,1\n", r"line 3 has 0 field\(s\), expected 4"),
        ("user,item,sampled_9,full\n1,2,1,inf\n2,2,1,1\n", "line 2: full is 'inf'"),
        ("user,item,sampled_9,full\n1,2,1,1e400\n2,2,1,1\n", "line 2: full is '1e400'"),
        ("user,item,sampled_9,full\n1,2,1,1_0\n2,2,1,1\n", "line 2: full is '1_0'"),
        ("user,item,sampled_9,full\n1,2,NA,1\n2,2,1,1\n", "line 2: sampled_9 is 'NA'"),
        ("user,item,sampled_9,full\n1,2,1,1\n2,tea,1,1\n", "line 3: item is 'tea'"),
        (
            "user,item,sampled_9,full\n1,2.5,1,1\n2,2,1,1\n",
            "line 2: item is '2.5', expected a ",
        ),
        (
            "user,item,sampled_9,full\n9007199254740993,2,1,1\n",
            "line 2: user .* to 9007199254740991",
        ),
        ("user,item,sampled_9,full\n0,2,1,1\n", "line 2: user is '0'"),
        ("user,item,sampled_9,full\n1,2,1,1\n1,3,1,1\n", "line 3: user 1 occurs again"),
        ("user,item,sampled_9,full\n1,2,1,1\n2,3,1,1,5\n", r"line 3 has 5 field\(s\), expected 4"),
        ("user,item,sampled_9,full\n1,2,1,1,5\n2,3,1,1,5\n", r"line 2 has 5 field\(s\)"),
        ("user,item,sampled_9,full\n1,2,,1\n2,3,1,1\n", r"sampled_9 ranks 1 user\(s\)"),
        ('user,item,sampled_9,full\n1,2,"1,1\n', "is not valid CSV"),
        ("user,item,sampled_9,full\n1,2,\0,1\n", r"sampled_9 is '\\x00'"),
    ],
)
def test_a_broken_table_is_explained(here, content, message):
    (here / "ranks.csv").write_text(content)
    with pytest.raises(UserError, match=rf"ranks.csv.* {message}"):
        load_side("A", "ranks.csv")


def test_a_table_that_is_no_text_is_explained(here):
    (here / "ranks.csv").write_bytes("user,item,sampled_9,full\n".encode("utf-16"))
    with pytest.raises(UserError, match="is not valid CSV"):
        load_side("A", "ranks.csv")


def test_a_table_of_another_tool_may_have_a_mark_spaces_and_other_columns(here):
    content = "\ufeff user, full ,sampled_9,item,note\r\n2, 7 ,10.0,31,a\r\n1,1e2,,30,b\r\n"
    (here / "ranks.csv").write_bytes(content.encode())
    with pytest.raises(UserError, match=r"sampled_9 ranks 1 user"):
        load_side("A", "ranks.csv")
    (here / "ranks.csv").write_bytes(f"{content}3,4.5,1,30,c\r\n".encode())
    table = load_side("A", "ranks.csv").runs[0].ranks
    assert list(table.columns) == ["user", "item", "sampled_9", "full"]
    assert table["full"].tolist() == [100, 7, 4.5]
    assert table["sampled_9"].isna().tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("params.yaml", "train: [", "params.yaml is not valid YAML"),
        ("dvc.lock", "<<<<<<< HEAD\nstages: {}\n", "dvc.lock is not valid YAML"),
        ("params.yaml", "train: &a [*a]", "params.yaml is not valid YAML: Circular"),
        ("params.yaml", "train: &a {seed: *a}", "params.yaml is not valid YAML: Circular"),
        ("dvc.lock", "stages: 3\n", "dvc.lock is not as DVC writes it"),
        ("dvc.lock", "stages: {evaluate: 3}\n", "dvc.lock is not as DVC writes it"),
        ("dvc.lock", "stages: {evaluate: {deps: [{}]}}\n", "dvc.lock is not as DVC writes it"),
        ("dvc.lock", "stages: {evaluate: {deps: 3}}\n", "dvc.lock is not as DVC writes it"),
        ("metrics/train_details.json", "[" * 100_000, "train_details.json is not a JSON object"),
        ("metrics/train_details.json", "{", "train_details.json is not a JSON object"),
        ("metrics/train_details.json", "3", "train_details.json is not a JSON object"),
    ],
)
def test_broken_companions_are_explained(here, name, content, message):
    write_results(here / "run", random_ranks(1), seeded(1))
    (here / "run" / name).write_text(content)
    with pytest.raises(UserError, match=message):
        load_side("A", "run")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("one", "two", "-k", "0"), 2, "'0': expected whole numbers from 1, such as 5,10"),
        (("one", "two", "-k", "5,"), 2, "'5,': expected whole numbers"),
        (("one", "two", "--samples", "10"), 2, "--samples 10: expected 1000 to 10,000,000"),
        (("one", "two", "--samples", "10000001"), 2, "--samples 10000001: expected 1000 to 10,000"),
        (("one", "two", "-k", "1" + 20 * "0"), 2, "expected whole numbers from 1, such as 5,10"),
        (("one", "two", "--seed", "-1"), 2, "--seed -1: expected 0 or more"),
        (("one", "two", "--plot", "x.svg"), 2, "--plot x.svg: expected a name that ends in .png"),
        (("one",), 2, "the following arguments are required: B"),
        (("one", "main"), 1, "main: no such folder, and no experiment"),
        (("one", "two", "--json", "one"), 1, "one is a folder, expected a file"),
        (
            ("one", "two", "--samples", "1000", "-k", ",".join(map(str, range(1, 9)))),
            1,
            "1000 resamples are too few for 32 tests: take 1280",
        ),
    ],
)
def test_command_explains_wrong_use(here, monkeypatch, capsys, arguments, code, message):
    for name, seed in (("one", 1), ("two", 2)):
        write_results(here / name, random_ranks(seed))
    monkeypatch.setattr("sys.argv", ["compare.py", *arguments])
    with pytest.raises(SystemExit) as stopped:
        run_main(main)
    assert stopped.value.code == code
    assert message in capsys.readouterr().err
