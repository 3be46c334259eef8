"""What the paper reports of SASRec (Kang & McAuley, ICDM 2018, table III), by our datasets."""

PROTOCOL = "sampled_100"
PAPER = {
    "beauty-sasrec": {"HR@10": 0.4854, "NDCG@10": 0.3219},
    "games-sasrec": {"HR@10": 0.7410, "NDCG@10": 0.5360},
    "steam-sasrec": {"HR@10": 0.8729, "NDCG@10": 0.6306},
    "ml-1m-sasrec": {"HR@10": 0.8245, "NDCG@10": 0.5905},
}
