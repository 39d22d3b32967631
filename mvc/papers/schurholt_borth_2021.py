"""Schürholt & Borth 2021, "An Investigation of the Weight Space to Monitor the Training Progress of Neural Networks".

Owns the paper's protocol as data, its printed numbers and the readings taken where its text leaves a choice.
"""

from __future__ import annotations

from types import MappingProxyType

from mvc.papers.lineages.cards import LineagePaper, Scores, ZooCard

_MLP = MappingProxyType(
    {
        "weights": Scores(1.0, 4.512, 0.357),
        **{f"svd-{rank}": Scores(1.0) for rank in (500, 100, 50, 25, 10)},
        "svd-5": Scores(0.843),
    }
)
_CNN = MappingProxyType(
    {
        "weights": Scores(1.0, 20.184, 0.693),
        "svd-500": Scores(1.0, ordered_pairs=0.732),
        **{f"svd-{rank}": Scores(1.0) for rank in (100, 50, 25)},
        "svd-10": Scores(0.896),
        "svd-5": Scores(0.465),
    }
)

CARD = LineagePaper(
    name="schurholt-borth-2021",
    title="An Investigation of the Weight Space to Monitor the Training Progress of Neural Networks",
    about="Schürholt & Borth 2021: runs and their order read from the weights of an MLP and a CNN zoo",
    ranks=(500, 100, 50, 25, 10, 5),
    engine_rank=50,
    initial=False,
    zoos=(
        ZooCard(
            name="mlp",
            zoo="schurholt-borth-2021-mlp",
            reading="as printed, batches of 4 (the paper's two versions swap the batch sizes 4 and 12)",
            printed=_MLP,
        ),
        ZooCard(
            name="cnn",
            zoo="schurholt-borth-2021-cnn",
            reading="AdamW on mean squared error: under SGD on the mean, as printed, weight decay of .1 outweighs the "
            "gradients and accuracy stays at chance; this reading keeps learning rate and weight decay, and trains",
            printed=_CNN,
        ),
        ZooCard(
            name="cnn-collapsing",
            zoo="schurholt-borth-2021-cnn-collapsing",
            reading="SGD on summed squared error: the printed optimiser with gradients large enough to train, yet "
            "weight decay shrinks every norm; kept as a hard and real case",
            printed=_CNN,
        ),
    ),
    notes=(
        "The paper has 250 runs of 50 epochs in each zoo.",
        "Its populations are read as the checkpoints after each epoch: with the initial ones, single linkage cuts "
        "those off as clusters of their own in low dimensions, which the printed purities do not show.",
        "Ordered by the paper's rule: the checkpoints of a run, by the height at which single linkage first merges "
        "each, highest first; equal heights by epoch. The singular value decomposition is not centred.",
        "No reading of the CNN's row gives its printed numbers; both CNN zoos stand beside the same ones.",
    ),
)
