"""Averages over steps against their sums, and training that keeps them."""

import pytest
import torch
from toy_training import trainer_of

from sasrec.ranking.validation import Validation
from sasrec.training.averaging import AVERAGES, Average, ema
from sasrec.training.fitting import fit

every_average = pytest.mark.parametrize("name", [name for name, row in AVERAGES.items() if row])


def weights_of(trainer):
    return torch.cat([weight.detach().reshape(-1) for weight in trainer.model.parameters()])


def test_ema_by_hand():
    assert ema(1, 0.5) == 1
    assert ema(2, 0.5) == pytest.approx(2 / 3)  # 1/2 and 1: a share of two thirds
    assert ema(3, 0.5) == pytest.approx(4 / 7)
    assert ema(10**6, 0.999) == pytest.approx(0.001)
    assert [ema(step, 0.0) for step in (1, 2, 9)] == [1, 1, 1]


@every_average
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_every_row_gives_shares(name, decay):
    shares = [AVERAGES[name](step, decay) for step in range(1, 99)]
    assert shares[0] == pytest.approx(1), "what was before the first step does not count"
    assert all(0 < share <= 1 + 1e-12 for share in shares)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_the_mean_is_the_sum_over_steps(decay):
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(7, generator=generator, dtype=torch.float64)
    average = Average(weights, lambda step: ema(step, decay))
    steps = []
    for _ in range(11):
        weights += torch.randn(7, generator=generator, dtype=torch.float64)
        steps.append(weights.clone())
        average.add()
        counts = [decay**back for back in reversed(range(len(steps)))]
        expected = sum(c * w for c, w in zip(counts, steps, strict=True)) / sum(counts)
        place = weights.data_ptr()
        with average.in_place():
            torch.testing.assert_close(weights, expected, rtol=1e-10, atol=1e-10)
            assert weights.data_ptr() == place
        assert torch.equal(weights, steps[-1])


def test_raw_weights_come_back_after_an_error():
    weights = torch.ones(3)
    average = Average(weights, lambda step: 1 / step)
    average.add()
    weights += 2

    def fail():
        with average.in_place():
            assert weights.tolist() == [1, 1, 1]
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert weights.tolist() == [3, 3, 3]


@every_average
def test_training_goes_on_from_the_raw_weights(name):
    config = {"dropout": 0.5}
    losses, weights = [], []
    for average in ("none", name):
        trainer = trainer_of(config=config, average=average, ema_decay=0.9, batch_size=2)
        losses.append([])
        for epoch in (1, 2, 3):
            losses[-1].append(trainer.run_epoch(epoch).loss)
            with trainer.averaged():
                averaged = weights_of(trainer)
        weights.append(weights_of(trainer))
        assert torch.equal(averaged, weights[-1]) == (average == "none")
    assert losses[0] == losses[1]
    assert torch.equal(*weights)


@every_average
@pytest.mark.parametrize("decay", [0.0, 0.8])
def test_averaged_weights_are_validated_and_kept(name, decay):
    trainer = trainer_of(average=name, ema_decay=decay, batch_size=2, epochs=4, weight_decay=0.1)
    steps, seen, step = [], [], trainer.optimizer.step

    def recorded():
        step()
        steps.append(weights_of(trainer))

    def validate():
        seen.append(weights_of(trainer))
        metrics = {"HR@10": 0.0, "NDCG@10": [0.1, 0.3, 0.2, 0.1][len(seen) - 1]}
        return Validation(1.0, metrics, metrics)

    trainer.optimizer.step = recorded
    assert fit(trainer, validate, lambda line: None).best_epoch == 2
    assert len(steps) == 12
    for epoch, found in enumerate(seen, 1):
        counts = [decay**back for back in reversed(range(3 * epoch))]
        total = sum(count * weight for count, weight in zip(counts, steps, strict=False))
        torch.testing.assert_close(found, total / sum(counts), rtol=0, atol=1e-6)
    assert torch.equal(weights_of(trainer), seen[1])
    assert not trainer.model.item_embedding[0].any()
