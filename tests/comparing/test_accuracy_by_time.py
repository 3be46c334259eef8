"""The table and the picture of accuracy by time."""

import pandas as pd
from accuracy_by_time import draw, keep


def line(epoch, seconds):
    scores = {"sampled_NDCG@10": epoch / 10, "full_NDCG@10": epoch / 20}
    return {"epoch": epoch, "seconds": seconds} | scores | {"machine": "a laptop"}


def test_a_recipe_measured_again_leaves_nothing_of_its_first_time(tmp_path):
    path = tmp_path / "table.csv"
    keep(path, "paper", [line(1, 2.0), line(2, 4.0), line(3, 6.0)])
    keep(path, "fast", [line(5, 3.0)])
    keep(path, "paper", [line(1, 1.5)])
    table = pd.read_csv(path)
    found = list(table[["recipe", "epoch", "seconds"]].itertuples(index=False, name=None))
    assert found == [("fast", 5, 3.0), ("paper", 1, 1.5)]


def test_a_picture_is_drawn(tmp_path):
    table = pd.DataFrame([{"recipe": "fast"} | line(5, 3.0), {"recipe": "fast"} | line(9, 6.0)])
    draw(table, "toys", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
