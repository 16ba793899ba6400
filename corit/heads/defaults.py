"""The default head of every command and experiment. Another module that needs other values changes this one."""

from __future__ import annotations

from dataclasses import replace

from corit.heads.head import HeadKind, HeadRecipe

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


def default_head(kind: HeadKind = "linear") -> HeadRecipe:
    """Return the recipe of a head that is trained without other wishes.

    Args:
        kind: "linear" is trained by SGD with momentum, "mlp" (a perceptron with one hidden layer) by AdamW.

    Returns:
        A recipe whose values `dataclasses.replace` changes one by one.
    """
    return _DEFAULTS[kind]


def experiment_head(kind: HeadKind = "linear") -> HeadRecipe:
    """Return the default head as the demo and the protocol runs train it: for `EXPERIMENT_EPOCHS` epochs."""
    return replace(default_head(kind), epochs=EXPERIMENT_EPOCHS)


def limit_batch(head: HeadRecipe, rows: int) -> HeadRecipe:
    """Return the recipe with a mini-batch of at most a quarter of the training rows, but of at least one row."""
    return replace(head, batch=max(1, min(head.batch, rows // 4)))
