"""The default head of every command and experiment. Another module that needs other values changes this one."""

from __future__ import annotations

from dataclasses import replace

from corit.heads.head import HeadKind, HeadRecipe
from corit.heads.rows import Scaling

# Complete on purpose: a changed default of a `HeadRecipe` field does not change what commands train.
_DEFAULTS: dict[HeadKind, HeadRecipe] = {
    "linear": HeadRecipe(
        kind="linear",
        scaling="standard",
        optimiser="sgd",
        learning_rate=0.5,
        momentum=0.9,
        weight_decay=0.0,
        rho=0.05,
        batch=20,
        epochs=20,
        select="auc",
    ),
    "mlp": HeadRecipe(
        kind="mlp",
        hidden=32,
        activation="relu",
        scaling="standard",
        optimiser="adamw",
        learning_rate=1e-3,
        weight_decay=0.0,
        rho=0.05,
        batch=20,
        epochs=20,
        select="auc",
    ),
}
EXPERIMENT_EPOCHS = 15  # chosen on the validation identities of the miniature world


RAW_UNITS: tuple[Scaling, ...] = ("raw", "centre")  # the scalings that leave the unit of the backbone's features


def default_head(kind: HeadKind = "linear", scaling: Scaling = "standard") -> HeadRecipe:
    """Return the recipe of a head that is trained without other wishes.

    Args:
        kind: "linear" is trained by SGD with momentum, "mlp" (a perceptron with one hidden layer) by AdamW.
        scaling: of the features. [choice] In raw units a linear head is trained by the perceptron's AdamW as well: the
            steps of SGD fit rows of a norm of about one.

    Returns:
        A recipe whose values `dataclasses.replace` changes one by one.
    """
    recipe = replace(_DEFAULTS[kind], scaling=scaling)
    if kind == "linear" and scaling in RAW_UNITS:
        return replace(recipe, optimiser="adamw", learning_rate=_DEFAULTS["mlp"].learning_rate)
    return recipe


def experiment_head(kind: HeadKind = "linear") -> HeadRecipe:
    """Return the default head as the demo and the protocol runs train it: for `EXPERIMENT_EPOCHS` epochs."""
    return replace(default_head(kind), epochs=EXPERIMENT_EPOCHS)


def limit_batch(head: HeadRecipe, rows: int) -> HeadRecipe:
    """Return the recipe with a mini-batch of at most a quarter of the training rows, but of at least one row."""
    return replace(head, batch=max(1, min(head.batch, rows // 4)))
