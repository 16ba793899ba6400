from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from reference import heads as slow

from corit.errors import FitError
from corit.heads.attention import AttentionHead, fit_module
from corit.heads.fit import _Batches, fit
from corit.heads.head import Head, HeadRecipe
from corit.heads.problem import Problem, standardised_problem
from corit.heads.rows import Standardiser, Subset, TensorRows, chunks, fit_standardiser, standardised
from corit.heads.sam import sam_gradient
from corit.heads.start import initial_parameters
from corit.seeding import generator


def data(n=90, d=7, seed=0, dtype=torch.float64):
    rng = generator("heads", seed)
    x = rng.normal(size=(n, d))
    y = (x @ rng.normal(size=d) + rng.normal(size=n) > 0).astype(int)
    return torch.tensor(x, dtype=dtype), y


def plain(x, y, valid=30):
    same = Standardiser(torch.zeros(x.shape[1]), torch.ones(x.shape[1]))
    return Problem(TensorRows(x[valid:]), y[valid:], TensorRows(x[:valid]), y[:valid], same)


def batches(p, recipe, seed, steps):
    stream = _Batches(seed, len(p.train), recipe.batch)
    x = p.train.values.numpy()
    return [(x[i], p.labels[i]) for i in (stream.at(s) for s in range(steps))]


def slow_head(p, recipe, seed, rho, steps):
    start = [t[0].numpy() for t in initial_parameters([seed], 1, p.train.width, recipe, torch.float64)]
    w, b, *upper = start
    if recipe.kind == "linear":
        params = [w[0], b[0]]
        on = lambda batch: lambda q: slow.linear_gradient(q[0], q[1], *batch)
    else:
        params = [w, b, upper[0][0], upper[1][0]]
        on = lambda batch: lambda q: slow.mlp_gradient(q, *batch, relu=recipe.activation == "relu")
    return slow.train(params, on, batches(p, recipe, seed, steps), rho, recipe.learning_rate, recipe.momentum)


RECIPES = [
    HeadRecipe(batch=8, select="last"),
    HeadRecipe(batch=8, select="last", momentum=0.0, learning_rate=0.2),
    HeadRecipe(kind="mlp", hidden=4, batch=8, select="last", learning_rate=0.1),
    HeadRecipe(kind="mlp", hidden=3, activation="identity", batch=8, select="last", learning_rate=0.1),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.kind}-{r.activation}-{r.momentum}")
def test_thousands_at_once_equal_one_at_a_time(recipe, agree):
    problems = [plain(*data(seed=1)), plain(*data(seed=2))]
    rhos, seeds, steps = (0.0, 0.05, 0.7), (3, 5), 15
    found = fit(problems, recipe, rhos=rhos, seeds=seeds, steps=steps, dtype=torch.float64)
    for i, p in enumerate(problems):
        for j, seed in enumerate(seeds):
            for k, rho in enumerate(rhos):
                w, b, *upper = slow_head(p, recipe, seed, rho, steps)
                agree(found.weight[i, j, k], np.atleast_2d(w))
                agree(found.bias[i, j, k], np.atleast_1d(b))
                if upper:
                    agree(found.top[i, j, k], upper[0])
                    agree(found.top_bias[i, j, k], upper[1])


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_rho_zero_is_the_base_optimiser_to_the_bit(optimiser):
    """A module trained by sam_gradient with rho = 0 and by plain back-propagation end in the same bits."""
    x, y = data(dtype=torch.float32)
    make = {
        "sgd": lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.9),
        "adamw": lambda w: torch.optim.AdamW(w, lr=0.01),
    }[optimiser]
    module, twin = torch.nn.Linear(7, 1), torch.nn.Linear(7, 1)
    twin.load_state_dict(module.state_dict())
    a, b = make(module.parameters()), make(twin.parameters())
    target = torch.from_numpy(y).float()
    for i in range(0, 80, 20):
        batch, t = x[i : i + 20], target[i : i + 20]

        def gradient(parameters, batch=batch, t=t):
            weights = [p.detach().requires_grad_() for p in parameters]
            logits = torch.nn.functional.linear(batch, *weights)[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, t)
            return torch.autograd.grad(loss, weights)

        for p, g in zip(module.parameters(), sam_gradient(gradient, list(module.parameters()), 0.0), strict=True):
            p.grad = g
        a.step()
        b.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(twin(batch)[:, 0], t).backward()
        b.step()
    assert torch.equal(module.weight, twin.weight)
    assert torch.equal(module.bias, twin.bias)


def test_rho_zero_rows_of_a_sweep_equal_a_run_without_sam():
    p, recipe = plain(*data()), HeadRecipe(batch=8, select="last", epochs=3)
    mixed = fit([p], recipe, rhos=(0.0, 0.1), dtype=torch.float64)
    alone = fit([p], recipe, rhos=(0.0, 0.0), dtype=torch.float64)
    assert torch.equal(mixed.weight[0, 0, 0], alone.weight[0, 0, 0])
    assert not torch.allclose(mixed.weight[0, 0, 1], alone.weight[0, 0, 1])


def test_the_sam_step_agrees_with_a_published_optimiser(agree):
    pytest.importorskip("pytorch_optimizer")
    from pytorch_optimizer import SAM

    x, y = data()
    p, recipe = plain(x, y), HeadRecipe(batch=10, select="last", momentum=0.0, learning_rate=0.3)
    found = fit([p], recipe, rhos=(0.2,), steps=6, dtype=torch.float64)
    start = initial_parameters([0], 1, 7, recipe, torch.float64)
    module = torch.nn.Linear(7, 1, dtype=torch.float64)
    module.load_state_dict({"weight": start[0][0], "bias": start[1][0]})
    optimiser = SAM(module.parameters(), base_optimizer=torch.optim.SGD, rho=0.2, lr=0.3)
    for bx, by in batches(p, recipe, 0, 6):
        for move in (optimiser.first_step, optimiser.second_step):
            logits = module(torch.from_numpy(bx))[:, 0]
            torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(by).double()).backward()
            move(zero_grad=True)
    agree(found.weight[0, 0, 0], module.weight.detach(), rtol=1e-8)


@pytest.mark.parametrize("recipe", RECIPES[::2], ids=lambda r: r.kind)
def test_grouping_lanes_changes_nothing(recipe, agree):
    problems = [plain(*data(seed=s)) for s in (1, 2, 3)]
    whole = fit(problems, recipe, rhos=(0.0, 0.1), seeds=(0, 1), steps=9, dtype=torch.float64)
    parts = fit(problems, recipe, rhos=(0.0, 0.1), seeds=(0, 1), steps=9, dtype=torch.float64, budget=1)
    agree(whole.weight, parts.weight)
    agree(whole.trajectory.valid_auc, parts.trajectory.valid_auc)


@pytest.mark.parametrize("select", ["auc", "loss", "last"])
def test_grouping_problems_of_other_lengths_changes_no_kept_epoch(select):
    problems = [plain(*data(n=n, seed=n)) for n in (75, 160, 90)]
    recipe = HeadRecipe(batch=8, epochs=4, learning_rate=3.0, select=select)
    whole = fit(problems, recipe, rhos=(0.0, 0.1), seeds=(0, 1), dtype=torch.float64)
    parts = fit(problems, recipe, rhos=(0.0, 0.1), seeds=(0, 1), dtype=torch.float64, budget=1)
    assert whole.trajectory.valid_auc.shape == (4, 3, 2, 2)
    for name in ("best", "loss", "valid_loss", "valid_auc"):
        assert np.allclose(getattr(whole.trajectory, name), getattr(parts.trajectory, name), rtol=1e-9), name
    assert torch.allclose(whole.weight, parts.weight, rtol=1e-9)


@pytest.mark.parametrize("recipe", RECIPES[::2], ids=lambda r: r.kind)
def test_losses_of_an_epoch_are_of_its_batches_and_validation_rows(recipe, agree):
    """Two epochs of seven steps and three steps more; a step's loss is that before it, not at w + e."""
    p, losses = plain(*data()), {0: [], 1: []}

    def observe(o):
        for r in (0, 1):
            parts = [t[0, r].numpy() for t in (o.weight, o.bias, o.top, o.top_bias) if t is not None]
            losses[r].append(mean_loss(parts, o.batch[0].numpy(), o.labels[0].numpy(), recipe))

    found = fit([p], recipe, rhos=(0.0, 0.7), steps=17, observer=observe, dtype=torch.float64)
    for r in (0, 1):
        expected = [np.mean(losses[r][k : k + 7]) for k in (0, 7, 14)]
        agree(found.trajectory.loss[:, 0, 0, r], expected)
        last = found.logits(0, p.valid)[0, r].numpy()  # the kept epoch is the last
        agree(found.trajectory.valid_loss[-1, 0, 0, r], log_losses(last, p.valid_labels).mean())
        agree(found.trajectory.valid_auc[-1, 0, 0, r], slow.auc(p.valid_labels, last))


def log_losses(logits, y):
    """-log of the probability of each label."""
    return -np.log(np.where(y == 1, slow.sigmoid(logits), 1 - slow.sigmoid(logits)))


def mean_loss(parts, x, y, recipe):
    """The mean negative log-likelihood of one head on rows."""
    z = x @ parts[0].T + parts[1]
    if recipe.kind == "linear":
        return log_losses(z[:, 0], y).mean()
    return log_losses(np.maximum(z, 0) @ parts[2] + parts[3], y).mean()


def test_seeds_have_their_own_mini_batches_and_problems_share_them():
    seen = {}
    problems = [plain(*data(seed=1)), plain(*data(seed=2))]
    watch = lambda o: seen.update({(o.step, *lane): o.labels[g].clone() for g, lane in enumerate(o.lanes.tolist())})
    same = [problems[0], replace(problems[1], labels=problems[0].labels)]
    fit(same, HeadRecipe(batch=8), seeds=(0, 1), steps=2, observer=watch)
    assert torch.equal(seen[0, 0, 0], seen[0, 1, 0])
    assert not torch.equal(seen[0, 0, 0], seen[0, 0, 1])
    assert not torch.equal(seen[0, 0, 0], seen[1, 0, 0])


def test_an_epoch_uses_each_row_once_and_the_next_another_order():
    stream = _Batches(0, 23, 5)
    first = np.concatenate([stream.at(s) for s in range(4)])
    second = np.concatenate([stream.at(s) for s in range(4, 8)])
    assert len(set(first)) == 20
    assert not np.array_equal(first, second)
    assert np.array_equal(np.concatenate([_Batches(0, 23, 5).at(s) for s in range(4)]), first)


@pytest.mark.parametrize("select", ["auc", "loss", "last"])
def test_the_kept_epoch_is_the_best_on_validation_and_nothing_else(select, agree):
    x, y = data(n=120)
    p = plain(x, y)
    recipe = HeadRecipe(batch=8, epochs=6, learning_rate=3.0, select=select)
    found = fit([p], recipe, rhos=(0.05,), dtype=torch.float64)
    t = found.trajectory
    curve = {"auc": -t.valid_auc, "loss": t.valid_loss, "last": -np.arange(6.0)[:, None, None, None]}[select]
    kept = int(t.best[0, 0, 0])
    assert kept == int(np.argmin(curve[:, 0, 0, 0]))
    logits = found.logits(0, p.valid)[0, 0].numpy()
    agree(slow.auc(p.valid_labels, logits), t.valid_auc[kept, 0, 0, 0])
    shorter = fit(
        [p], HeadRecipe(batch=8, epochs=kept + 1, learning_rate=3.0, select="last"), rhos=(0.05,), dtype=torch.float64
    )
    agree(found.weight, shorter.weight)


def test_the_observer_sees_each_asked_step_before_it_is_taken():
    steps = []
    p = plain(*data())
    fit([p], HeadRecipe(batch=8), steps=10, observer=lambda o: steps.append(o.step), observe_at=lambda s: s % 4 == 0)
    assert steps == [0, 4, 8]


def test_progress_reaches_its_total():
    told = []
    fit([plain(*data())], HeadRecipe(batch=8, epochs=2), seeds=(0, 1), budget=1, progress=lambda *a: told.append(a))
    assert told[-1][0] == told[-1][1] == 28
    assert [d for d, _ in told] == sorted(d for d, _ in told)


def one_class(x, y):
    plain(x, np.zeros_like(y))


def nan_features(x, y):
    x = x.clone()
    x[3, 2] = torch.nan
    standardised_problem(TensorRows(x), y, TensorRows(x), y, HeadRecipe())


BAD = {
    "labels": (one_class, "reals .0. and fakes .1."),
    "nan": (nan_features, "finite features"),
    "short": (lambda x, y: fit([plain(x, y)], HeadRecipe(batch=500)), "at least one mini-batch of 500"),
    "radius": (lambda x, y: fit([plain(x, y)], HeadRecipe(), rhos=(0.1, -1)), "rho >= 0, got -1"),
    "no radius": (lambda x, y: fit([plain(x, y)], HeadRecipe(), rhos=(np.nan, 0.1)), "finite radii rho >= 0, got nan"),
    "twice": (lambda x, y: fit([plain(x, y)], HeadRecipe(), seeds=(1, 1)), "distinct seeds"),
    "nothing": (lambda x, y: fit([], HeadRecipe()), "expected problems"),
    "widths": (lambda x, y: fit([plain(x, y), plain(x[:, :3], y)], HeadRecipe()), "one feature width"),
    "count": (lambda x, y: plain(x, y[:-1]), "one label for each"),
    "shape": (lambda x, y: TensorRows(x[0]), "features .n, D."),
    "empty": (lambda x, y: fit_standardiser(TensorRows(x[:0]), "standard"), "at least one training row"),
    "batch": (lambda x, y: HeadRecipe(batch=0), "batch >= 1"),
    "rate": (lambda x, y: HeadRecipe(learning_rate=0), "learning_rate > 0"),
    "module": (
        lambda x, y: fit_module(
            AttentionHead(1, 2),
            TensorRows(x),
            y,
            TensorRows(x),
            y,
            rho=0,
            batch=999,
            optimiser=lambda w: torch.optim.SGD(w, 0.1),
        ),
        "mini-batch of 999",
    ),
    "levels": (lambda x, y: AttentionHead(2, 3)(x), "two levels of 2 tokens"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(name):
    act, words = BAD[name]
    with pytest.raises(FitError, match=words):
        act(*data())


@pytest.mark.parametrize(("width", "expected"), [(2**18, [16, 4]), (2**16, [16, 4]), (2**15, [20]), (3, [20])])
def test_chunks_are_narrower_where_rows_are_wider(width, expected):
    rows = TensorRows(torch.zeros(1, 1).expand(20, width))
    assert [len(c) for c in chunks(rows)] == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [0, 1, 40])
def test_rows_held_in_memory_keep_their_type_and_number(rows, dtype):
    x = torch.ones(rows, 3, dtype=dtype)
    held = standardised(TensorRows(x), Standardiser(torch.zeros(3), torch.ones(3))).values
    assert torch.equal(held, x)
    assert held.dtype == dtype


@pytest.mark.parametrize(("limit", "held"), [(4 * 7 * 90, True), (4 * 7 * 90 - 1, False)])
def test_rows_are_held_in_memory_up_to_the_limit_in_bytes(limit, held):
    x, _ = data(dtype=torch.float32)
    found = standardised(TensorRows(x), fit_standardiser(TensorRows(x), "standard"), limit)
    assert isinstance(found, TensorRows) == held


def test_a_recipe_without_words_is_the_documented_one():
    assert HeadRecipe() == HeadRecipe(
        "linear", 32, "relu", "standard", "sgd", 1.0, 0.9, 0.0, rho=0.05, batch=20, epochs=20, select="auc"
    )
    assert (HeadRecipe().units, HeadRecipe(kind="mlp").units) == (1, 32)


def test_a_recipe_reads_the_old_name_of_raw():
    assert HeadRecipe(scaling="none") == HeadRecipe(scaling="raw")
    with pytest.raises(FitError, match="expected a scaling among raw, centre, unit, standard, whiten"):
        HeadRecipe(scaling="zscore")


@pytest.mark.parametrize("scaling", ["raw", "centre", "unit", "standard", "whiten"])
def test_a_recipe_says_its_radius_in_units_of_the_norm(scaling):
    """Where the scaling gives rows a mean squared norm of one, to which a radius is relative."""
    x = torch.tensor(generator("norm one").normal(size=(300, 6)) * 10 + 50)
    rows = standardised(TensorRows(x), fit_standardiser(TensorRows(x), scaling)).values
    one = abs(float(rows.square().sum(1).mean()) - 1) < 1e-6
    words = "0.2 in units of the features' norm" if one else "in the units of the backbone's features"
    assert HeadRecipe(scaling=scaling, rho=0.2).radius_text == f"SAM rho 0.2 ({words})"


def test_rows_that_are_all_the_same_become_zeros():
    x = torch.full((4, 3), 7.0)
    for scaling in ("centre", "unit"):
        assert (standardised(TensorRows(x), fit_standardiser(TensorRows(x), scaling)).values == 0).all()


@pytest.mark.filterwarnings("error:The given NumPy array is not writable")
def test_labels_may_be_read_only():
    x, y = data()
    y.flags.writeable = False
    task = plain(x, y)
    assert fit([task], HeadRecipe(epochs=1)).trajectory.valid_auc.shape == (1, 1, 1, 1)


@pytest.mark.parametrize("scaling", ["none", "raw", "centre", "unit", "standard", "whiten"])
def test_standardised_rows_have_the_stated_moments(scaling, agree):
    rng = generator("moments")
    x = torch.tensor(rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6)) * 10 + 50, dtype=torch.float32)
    rows = standardised(TensorRows(x), fit_standardiser(TensorRows(x), scaling)).values.numpy()
    if scaling in ("none", "raw"):
        agree(rows, x.numpy())
    elif scaling in ("centre", "unit"):
        centred = x.double().numpy() - x.double().numpy().mean(0)
        number = 1 if scaling == "centre" else np.sqrt((centred**2).sum(1).mean())
        agree(rows, centred / number, atol=1e-5)
    else:
        agree(rows.mean(0), np.zeros(6), atol=1e-4)
        covariance = np.cov(rows.T, bias=True) * 6
        agree(np.diag(covariance), np.ones(6), rtol=1e-3)
        if scaling == "whiten":
            agree(covariance, np.eye(6), atol=2e-3)


def test_a_constant_feature_is_zero_and_not_infinite():
    x = torch.tensor(generator("constant").normal(size=(50, 3)), dtype=torch.float32)
    x[:, 1] = 4.0
    for scaling in ("centre", "unit", "standard", "whiten"):
        rows = standardised(TensorRows(x), fit_standardiser(TensorRows(x), scaling)).values
        assert torch.isfinite(rows).all()
        assert rows.abs().max() < 10


@pytest.mark.parametrize(("small", "kept"), [(1e-4, 2), (1e-5, 2), (1e-8, 1)])
def test_whitening_keeps_directions_down_to_a_millionth(small, kept):
    """The floor is of standard deviations: variances, which the eigenvalues are, may be smaller by its square."""
    x = torch.tensor(generator("floor").normal(size=(300, 2)), dtype=torch.float32) * torch.tensor([1.0, small])
    rows = standardised(TensorRows(x), fit_standardiser(TensorRows(x), "whiten")).values
    assert rows.shape[1] == kept
    assert (rows.T @ rows / 300 * kept - torch.eye(kept)).abs().max() < 1e-3


def scaled(x, scale, dtype):
    """The standardised rows of x times a scale, stored in a type, in each way of scaling."""
    rows = TensorRows((x.double() * scale).to(dtype))
    return [standardised(rows, fit_standardiser(rows, how)).values for how in ("unit", "standard", "whiten")]


@pytest.mark.parametrize("scale", [2.0**66, 2.0**-83])
def test_standardising_does_not_depend_on_units_of_powers_of_two(scale):
    x = torch.tensor(generator("units").normal(size=(200, 6)) * 3 + 5, dtype=torch.float32)
    x[:, 2] = 0.1
    for expected, found in zip(scaled(x, 1, torch.float32), scaled(x, scale, torch.float32), strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [(s, torch.float32) for s in (1e20, 1e-25, 1e37, 1e-37)] + [(s, torch.float64) for s in (1e20, 1e-25, 1e90, 1e-90)],
)
def test_standardised_rows_do_not_depend_on_the_unit(scale, dtype, agree):
    x = torch.tensor(generator("units").normal(size=(200, 6)) * 3 + 5, dtype=torch.float32)
    x[:, 2] = 0.1
    for expected, found in zip(scaled(x, 1, torch.float32), scaled(x, scale, dtype), strict=True):
        assert found.dtype == dtype
        agree(found, expected, atol=2e-5)


def test_features_of_double_precision_far_from_zero_keep_their_digits(agree):
    x = torch.tensor(generator("units").normal(size=(200, 4)))
    for how in ("centre", "unit", "standard", "whiten"):
        here, far = TensorRows(x), TensorRows(x + 1e9)
        expected = standardised(here, fit_standardiser(here, how)).values
        agree(standardised(far, fit_standardiser(far, how)).values, expected, atol=1e-6)


def test_columns_that_are_all_constant_are_zero():
    """Though their mean, rounded, is not quite what they hold."""
    x = torch.full((37, 3), 0.1) * torch.tensor([1.0, 3.0, 1e20])
    for how in ("centre", "unit", "standard", "whiten"):
        made = fit_standardiser(TensorRows(x), how)
        assert not standardised(TensorRows(x), made).values.any()


@pytest.mark.parametrize(
    ("value", "words"), [(1e120, "at most 1e\\+100, got 1e\\+120"), (1e-120, "no larger than 1e-120")]
)
def test_features_whose_squares_no_number_holds_are_refused(value, words):
    x = torch.tensor([[0.0, 1.0], [1.0, 0.5], [0.5, 0.0]], dtype=torch.float64) * value
    with pytest.raises(FitError, match=f"{words}; multiply them by a constant"):
        fit_standardiser(TensorRows(x), "standard")


def test_a_head_reads_features_that_single_precision_does_not_hold(agree):
    x, y = data(dtype=torch.float64)
    recipe = HeadRecipe(epochs=2)
    heads = {}
    for scale in (1.0, 1e60):
        rows = TensorRows(x * scale)
        heads[scale] = fit([standardised_problem(rows, y, rows, y, recipe)], recipe).head().logits(x * scale)
        assert heads[scale].dtype == torch.float32
    agree(heads[1e60], heads[1.0], rtol=1e-4, atol=1e-5)


def test_rows_computed_as_gathered_equal_rows_in_memory(agree):
    x, _ = data(dtype=torch.float32)
    scale = fit_standardiser(TensorRows(x), "standard")
    index = np.array([5, 1, 1, 80])
    agree(standardised(TensorRows(x), scale, limit=0).gather(index), standardised(TensorRows(x), scale).gather(index))
    agree(Subset(TensorRows(x), np.array([7, 8, 9])).gather(np.array([2, 0])), x[[9, 7]])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.kind}-{r.activation}-{r.momentum}")
def test_a_head_comes_back_from_its_tensors(recipe, agree):
    x, y = data(dtype=torch.float32)
    p = standardised_problem(TensorRows(x), y, TensorRows(x), y, recipe)
    found = fit([p], recipe, steps=5)
    head = found.head()
    again = Head.from_state(head.state(), recipe)
    agree(again.logits(x), head.score_rows(TensorRows(x)))
    agree(head.logits(x), found.logits(0, p.valid)[0, 0], rtol=1e-5, atol=1e-6)
    with pytest.raises(FitError, match="missing: bias"):
        Head.from_state({k: v for k, v in head.state().items() if k != "bias"}, recipe)
    with pytest.raises(FitError, match="width 7, got 3"):
        head.logits(x[:, :3])


@pytest.mark.parametrize("seed", [0, 4])
def test_a_module_trained_with_sam_equals_the_closed_form(seed, agree):
    x, y = data(dtype=torch.float64)
    p, recipe = plain(x, y), HeadRecipe(batch=8, epochs=2, select="last")
    found = fit([p], recipe, rhos=(0.3,), seeds=(seed,), dtype=torch.float64)

    class Linear(torch.nn.Linear):
        def forward(self, z):
            return super().forward(z)[:, 0]

    module, start = Linear(7, 1, dtype=torch.float64), initial_parameters([seed], 1, 7, recipe, torch.float64)
    module.load_state_dict({"weight": start[0][0], "bias": start[1][0]})
    sgd = lambda w: torch.optim.SGD(w, lr=recipe.learning_rate, momentum=recipe.momentum)
    areas = fit_module(
        module, p.train, p.labels, p.valid, p.valid_labels, optimiser=sgd, rho=0.3, batch=8, epochs=2, seed=seed
    )
    agree(areas, found.trajectory.valid_auc[:, 0, 0, 0], rtol=1e-9)
    best = fit([p], replace(recipe, select="auc"), rhos=(0.3,), seeds=(seed,), dtype=torch.float64)
    agree(module.weight.detach(), best.weight[0, 0, 0], rtol=1e-6)


def test_the_attention_head_starts_parameter_free_and_learns():
    rng = generator("attention test")
    x = torch.tensor(rng.normal(size=(200, 24)), dtype=torch.float32)
    y = (x[:, 13] > 0).numpy().astype(int)
    head = AttentionHead(tokens=3, width=4, seed=1)
    middle, last = x.view(-1, 2, 3, 4).unbind(1)
    joined = torch.softmax(last @ middle.mT / 2, -1) @ middle
    assert torch.allclose(head(x), joined.flatten(1) @ head.weight + head.bias, atol=1e-6)
    x[:, :12] += torch.from_numpy(y)[:, None] * 1.5
    areas = fit_module(
        head, TensorRows(x), y, TensorRows(x), y, rho=0.05, epochs=3, optimiser=lambda w: torch.optim.AdamW(w, lr=0.02)
    )
    assert areas[-1] > 0.9
