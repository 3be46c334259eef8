"""Quotes in text files: as RFC 4180 has them, or the line is named; no row is swallowed."""

import csv
import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_sources import ALL, T, local, rows

from sasrec.base.errors import UserError
from sasrec.preparing import text_scan
from sasrec.sources.params import Columns

HEADER = "user,title,item,rating,timestamp\n"
NAMES = ("user", "title", "item", "rating", "timestamp")
UNTIMED = Columns(user="user", item="item", timestamp=None, rating=None, order=None)


def row(user, title):
    return f"{user},{title},x,1,{T}\n"


GOOD = row("a", "plain")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (row("b", '"a"b'), "line 3: text follows a closing quote (double"),
        (row("b", '"a" '), "line 3: text follows a closing quote"),
        (row("b", r'"say \"hi\""'), "line 3: text follows a closing quote"),
        (row("b", 'say "hi"'), "line 3: a quote inside a field that does not begin with one"),
        (row("b", ' "hi"'), "line 3: a quote inside a field"),
        (row("b", '12"'), "line 3: a quote inside a field"),
        (row("b", '"Heroes" (live)'), "line 3: text follows a closing quote"),
        (row("b", '"Heroes'), "line 3: a quote is never closed"),
        (row("b", '"Heroes') + GOOD + GOOD, "line 3: a quote is never closed"),
        (row("b", '"Heroes"""') + row("c", '"Low'), "line 4: a quote is never closed"),
        (
            row("b", '"Heroes') + GOOD + row("c", '"Low"'),
            "line 5: text follows a closing quote, in a field that a quote opens on line 3",
        ),
        (
            row("b", '"Heroes') + row("c", 'Low"'),
            "line 3: a quoted field opens here and goes on over line 4, which looks like a row",
        ),
        (row("b", '"Heroes') + GOOD + row("c", 'Low"'), "line 3: a quoted field opens here"),
        (
            row("b", '"Heroes, live') + "\n" + GOOD + row("c", 'Low"'),
            "line 3: a quoted field opens here and goes on over line 5",
        ),
        (row("b", '"Heroes, live') + row("c", 'Low"'), "line 3: a quoted field opens here"),
        (row("b", '"Heroes') + row("c", 'Low, live"'), "line 3: a quoted field opens here"),
        (row("b", '"He""roes') + row("c", '""') + row("d", 'Low"'), "goes on over line 4"),
        (GOOD + row('"b', "Heroes") + row("c", 'Low"'), "line 4: a quoted field opens here"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("block", [1 << 24, 1, 50])
def test_a_stray_quote_is_named(tmp_path, monkeypatch, content, message, end, block):
    monkeypatch.setattr(text_scan, "BLOCK", block)
    with pytest.raises(UserError) as error:
        local(tmp_path, (HEADER + GOOD + content).replace("\n", end))
    assert str(error.value).startswith("mine.csv, line ")
    assert message in str(error.value)
    assert "set data.quoted: false" in str(error.value)


def test_a_file_without_times_needs_both_lines_to_look_like_rows(tmp_path):
    swallowed = 'user,item,title\na,x,"Heroes\nb,y,Low\nc,z,Lodger"\n'
    with pytest.raises(UserError, match="line 2: a quoted field opens here and goes on over line"):
        local(tmp_path, swallowed, UNTIMED)
    review = 'user,item,title\na,x,"nice, big\nnot red, not blue, green\nall good"\n'
    assert [one[:2] for one in rows(local(tmp_path, review, UNTIMED))] == [("a", "x")]


def test_fields_over_several_lines_are_read(tmp_path):
    content = (
        f'{HEADER}a,"nice\nproduct, ""really""\n\r\nbuy, it, now, or, 5",x,1,{T}\n'
        f'b,"",y,2,{T}\n\nc,"\n",z,3,"{T}"\nd,"lone\rreturn",z,3,{T}\n'
    )
    source = local(tmp_path, content)
    assert [one[0] for one in rows(source)] == ["a", "b", "c", "d"]
    with pytest.raises(UserError, match="line 8: 'rating' is 'bad'"):
        local(tmp_path, content.replace('z,3,"', 'z,bad,"'))


TIMED = UNTIMED.model_copy(update={"timestamp": "timestamp"})


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        (["user,title,item,timestamp", f"a,pq, x,{T}", f"b,r,y,{T + 1}"], TIMED),
        (["user,item,timestamp,title", f"a,x,{T},p q", f"b,y,{T},r"], TIMED),
        (["title,user,item", "pq,a,x", "r,b,y", "t,c,z"], UNTIMED),
        (["user,item,title", "a,x,pq", "b,y,r", "c,z,t"], UNTIMED),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_no_two_quotes_swallow_a_row(tmp_path, lines, columns):
    """All places for one quote, and for two."""
    header, body = lines[0] + "\n", "\n".join(lines[1:]) + "\n"
    for one, two in itertools.combinations_with_replacement(range(len(body) + 1), 2):
        content = f'{header}{body[:one]}"{body[one:two]}"{body[two:]}'
        try:
            found = rows(local(tmp_path, content, columns))
        except UserError:
            continue
        assert len(found) == len(lines) - 1, content
    for one in range(len(body) + 1):
        with pytest.raises(UserError, match="quote"):
            local(tmp_path, f'{header}{body[:one]}"{body[one:]}', columns)


@pytest.mark.parametrize("title", ['"Heroes" (live)', 'say "hi"', '12"', '"', '"Low'])
@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_quotes_may_be_plain_characters(tmp_path, title, suffix, delimiter):
    content = (HEADER + row("a", title) + row("b", "x")).replace(",", delimiter)
    columns = ALL.model_copy(update={"item": "title"})
    source = local(tmp_path, content, columns, suffix=suffix, quoted=False)
    assert [one[:2] for one in rows(source)] == [("a", title), ("b", "x")]


def test_an_id_does_not_hold_a_line_break(tmp_path):
    with pytest.raises(UserError, match="line 2: 'user' holds a line break"):
        local(tmp_path, f'{HEADER}"a\nb",t,x,1,{T}\n')


# A title with a delimiter and a line end may hold a line that looks like a row.
titles = st.text(st.sampled_from('a",\n \r'), max_size=6).filter(
    lambda title: not ("," in title and "\n" in title)
)


def test_a_row_may_be_longer_than_a_block(tmp_path, monkeypatch):
    text = "line of words\n" * 2_000_000
    content = f'user,item,title\na,x,"{text}"\nb,y,z\n'
    assert [one[0] for one in rows(local(tmp_path, content, UNTIMED))] == ["a", "b"]
    monkeypatch.setattr(text_scan, "LONGEST", 20_000_000)
    with pytest.raises(UserError, match="line 2: a row of more than 20000000 bytes; if quotes"):
        local(tmp_path, content, UNTIMED)
    content = f"user,item\na,{text.replace(chr(10), ' ')}"
    with pytest.raises(UserError, match=r"line 2: a row of more than 20000000 bytes$"):
        local(tmp_path, content, UNTIMED, quoted=False)


@given(st.lists(titles, min_size=1, max_size=8), st.integers(1, 64))
def test_what_a_csv_writer_quotes_is_read_back(tmp_path_factory, content, block):
    """Every line end inside a field is in a last row's field that no row follows."""
    folder = tmp_path_factory.mktemp("local")
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerow(["title", "user", "item"])
    writer.writerows([title, f"u{n}", "x"] for n, title in enumerate(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_scan, "BLOCK", block)
        source = local(folder, stream.getvalue(), UNTIMED)
    assert [one[0] for one in rows(source)] == [f"u{n}" for n in range(len(content))]


@given(st.lists(st.lists(st.text('a" \n', max_size=3), min_size=3, max_size=3), max_size=5))
def test_strict_means_what_the_csv_module_calls_strict(tmp_path_factory, content):
    """What is read is what a strict reader reads, and it would write it back."""
    folder = tmp_path_factory.mktemp("local")
    text = "user,item,title\nu,i,t\n" + "".join(",".join(line) + "\n" for line in content)
    try:
        source = local(folder, text, UNTIMED)
    except UserError:
        return
    expected = [line for line in csv.reader(io.StringIO(text), strict=True) if line][1:]
    assert [one[:2] for one in rows(source)] == [(line[0], line[1]) for line in expected]
