"""The parts that a model may have: one row, one module, one name in params.yaml."""

from collections.abc import Callable

from torch import Tensor, nn

from sasrec.model.attention import GatedAttention, SoftmaxAttention
from sasrec.model.decoupled import DecoupledAttention
from sasrec.model.dropout import Dropout
from sasrec.model.feed_forward import ReluFeedForward
from sasrec.model.genres import GatedGenres, ItemGenres
from sasrec.model.hstu import PointwiseAttention
from sasrec.model.inputs import Input, ItemInput
from sasrec.model.positions import (
    LearnedPosition,
    PositionInAttention,
    PositionInInputs,
    Positions,
)
from sasrec.model.rating import RatingInput
from sasrec.model.relative import RelativeBias
from sasrec.model.rotary import Rotary
from sasrec.model.scores import Cosine, DotProduct
from sasrec.model.sizes import Sizes
from sasrec.model.swiglu import SwiGLU
from sasrec.model.time_gap import TimeGapInput
from sasrec.model.variants import NORMED, RAW, Variant

VARIANTS = {
    "official": Variant(NORMED, RAW, NORMED, after=False),  # kang205/SASRec: model.py, modules.py
    "paper": Variant(NORMED, NORMED, RAW, after=False),  # section III-B, "residual connections"
    "normed_residual": Variant(NORMED, NORMED, NORMED, after=False),
    "post_norm": Variant(RAW, RAW, RAW, after=True),  # Vaswani et al. 2017, section 3.1
    # LiGR (Borisyuk et al. 2025), as in eSASRec (Tikhonovich et al., RecSys 2025).
    "ligr": Variant(NORMED, NORMED, RAW, after=False, gated=True),
}

ATTENTIONS: dict[str, Callable[..., nn.Module]] = {
    "softmax": SoftmaxAttention,  # the paper's
    "gated": GatedAttention,
    "decoupled": DecoupledAttention,
    "hstu": PointwiseAttention,
}

FEED_FORWARDS: dict[str, Callable[[Sizes, Dropout], nn.Module] | None] = {
    "relu": ReluFeedForward,  # the paper's
    "swiglu": SwiGLU,
    "none": None,  # a block ends with its attention
}

POSITIONS = {
    "learned": Positions(LearnedPosition, PositionInAttention),  # the paper's
    "none": Positions(PositionInInputs, PositionInAttention),  # table IV of the paper
    "rotary": Positions(PositionInInputs, Rotary),
    "relative": Positions(PositionInInputs, RelativeBias),
}

SCORES: dict[str, Callable[[float], DotProduct]] = {
    "dot": DotProduct,  # the paper's
    "cosine": Cosine,
}

INPUTS: dict[str, type[Input | ItemInput]] = {
    "item": ItemInput,
    "rating": RatingInput,
    "time_gap": TimeGapInput,
    "genres": ItemGenres,
    "genres_gated": GatedGenres,
}

INITIALISERS: dict[str, Callable[..., Tensor]] = {
    "xavier_uniform": nn.init.xavier_uniform_,  # the authors' (TensorFlow's default)
    "xavier_normal": nn.init.xavier_normal_,
}
