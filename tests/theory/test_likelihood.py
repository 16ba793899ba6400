from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from theory import heads_at
from theory.heads_at import draw, linear, matrix, network, rows, twins, units
from torch.func import functional_call

from corit.errors import FitError
from corit.theory.likelihood import curvatures, logistic, residual
from corit.theory.module import module
from corit.theory.perceptron import perceptron

LIKELIHOODS = {
    "linear n > P": lambda: linear(12, 4),
    "linear n < P": lambda: linear(5, 9),
    "linear, heads of two dimensions": lambda: linear(8, 3, heads=(2, 3)),
    "relu": lambda: units(12, 4),
    "relu n < P": lambda: units(5, 6, heads=(2, 1)),
    "identity": lambda: units(9, 3, activation="identity"),
}


@pytest.fixture(params=LIKELIHOODS, name="found")
def _found(request):
    return LIKELIHOODS[request.param]()


def each(values, dimensions):
    return values.flatten(0, -1 - dimensions).numpy() if dimensions else values.flatten().numpy()


def test_losses_gradients_and_norms_are_those_of_the_rows_one_by_one(found, agree):
    slow = [t.population for t in twins(found)]
    agree(each(found.loss(), 0), [p.loss for p in slow])
    agree(each(found.gradient(), 1), [p.mean for p in slow])
    agree(each(found.squared_gradient(), 0), [p.mean @ p.mean for p in slow])
    agree(each(found.squared_norms(), 1), [(p.gradients**2).sum(1) for p in slow])


def test_the_matrices_of_equation_5_are_those_of_the_rows_one_by_one(found, agree):
    slow = [t.population for t in twins(found)]
    agree(each(matrix(found.hessian, found.point), 2), [p.hessian for p in slow])
    agree(each(matrix(found.misfit, found.point), 2), [p.misfit for p in slow])
    second = [p.gradients.T @ p.gradients / found.count for p in slow]
    agree(each(matrix(found.second_moment, found.point), 2), second)


def test_the_traces_are_those_of_the_matrices(found, agree):
    hessian_trace, misfit_trace = found.traces()
    slow = [t.population for t in twins(found)]
    agree(each(hessian_trace, 0), [np.trace(p.hessian) for p in slow])
    agree(each(misfit_trace, 0), [np.trace(p.misfit) for p in slow])


def test_the_operator_has_the_spectrum_of_the_hessian_but_for_zeros(found, agree):
    operator = found.operator()
    like = operator.like.new_empty(operator.shape)
    spectra = torch.linalg.eigvalsh(matrix(operator.apply, like)).flatten(0, -2)
    for values, twin in zip(spectra, twins(found), strict=True):
        slow = np.linalg.eigvalsh(twin.population.hessian)
        size = min(len(slow), len(values))
        largest = [np.sort(v[np.argsort(-np.abs(v))][:size]) for v in (values.numpy(), slow)]
        agree(*largest, atol=1e-12)


def test_mini_batches_are_a_dimension_in_front(found, agree):
    index = torch.tensor([[0, 1, 2], [2, 4, 4]])
    together = found.on(index)
    for k, rows_of in enumerate(index):
        alone = found.on(rows_of)
        agree(together.gradient()[k], alone.gradient())
        agree(together.loss()[k], alone.loss())
        agree(together.squared_gradient()[k], alone.squared_gradient())
        agree(torch.stack(together.traces())[:, k], torch.stack(alone.traces()))
        v = draw(*found.point.shape, seed=5)
        agree(together.hessian(v.expand_as(together.point))[k], alone.hessian(v))


def test_gradients_along_a_line_are_the_gradients_there(found, agree):
    direction, onto = draw(*found.point.shape, seed=1), draw(*found.point.shape[:-1], 2, found.point.shape[-1], seed=2)
    radii = torch.tensor([0.0, 0.3, 2.0], dtype=torch.float64)
    seen = found.along(direction, radii, onto)
    per_head = found.along(direction, radii.expand(*found.point.shape[:-1], 3), onto)
    agree(per_head, seen)
    for k, radius in enumerate(radii):
        there = found.at(found.point + radius * direction).gradient()
        agree(seen[..., k, :], (onto * there[..., None, :]).sum(-1))


@pytest.mark.parametrize("kind", ["linear", "relu"])
def test_data_sets_side_by_side_equal_one_after_the_other(kind, agree):
    """Layers: rows x (L, n, D) with their own labels, heads (L, H, ...)."""
    sets = [rows(7, 4, seed) for seed in (1, 2)]
    x, y = torch.stack([s[0] for s in sets]), torch.stack([s[1] for s in sets])
    w, b, top, top_bias = draw(2, 3, 5, 4), draw(2, 3, 5), draw(2, 3, 5), draw(2, 3)
    if kind == "linear":
        both = logistic(x, y, w[:, :, 0], b[:, :, 0])
        alone = [logistic(x[k], y[k], w[k, :, 0], b[k, :, 0]) for k in (0, 1)]
    else:
        both = perceptron(x, y, w, b, top, top_bias)
        alone = [perceptron(x[k], y[k], w[k], b[k], top[k], top_bias[k]) for k in (0, 1)]
    v, index = draw(*both.point.shape, seed=9), torch.tensor([[0, 1], [3, 5], [6, 2]])
    for k in (0, 1):
        agree(both.loss()[k], alone[k].loss())
        agree(both.gradient()[k], alone[k].gradient())
        agree(both.squared_norms()[k], alone[k].squared_norms())
        agree(both.hessian(v)[k], alone[k].hessian(v[k]))
        agree(both.misfit(v)[k], alone[k].misfit(v[k]))
        agree(torch.stack(both.traces())[:, k], torch.stack(alone[k].traces()))
        agree(both.on(index).gradient()[:, k], alone[k].on(index).gradient())


def reverse_twice(function):
    """torch.func.hessian errs for LayerNorm in torch 2.14, whose inner jacrev it is; finite differences say so."""
    return torch.func.jacrev(torch.func.grad(function))


def test_a_module_with_layer_norm_agrees_with_finite_differences(agree):
    found, step = network(classes=4, norm=True), 1e-5
    for e in torch.eye(len(found.point), dtype=torch.float64):
        ahead, behind = (found.at(found.point + s * step * e).gradient() for s in (1, -1))
        agree(found.hessian(e), (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("classes", "norm", "hessian"),
    [(1, False, torch.func.hessian), (2, False, torch.func.hessian), (4, True, reverse_twice)],
)
def test_a_module_agrees_with_dense_hessians_by_torch_func(classes, norm, hessian, agree):
    found = network(classes=classes, norm=norm)
    if classes > 2:
        found = module(found.network, found.x, torch.arange(found.count) % classes)

    def nll(flat, x=found.x, y=found.y):
        sizes = [p.numel() for p in found.network.parameters()]
        parts = zip(found.network.named_parameters(), flat.split(sizes), strict=True)
        out = functional_call(found.network, {name: part.view_as(p) for (name, p), part in parts}, (x,))
        if classes == 1:
            return torch.nn.functional.binary_cross_entropy_with_logits(out[:, 0], y)
        return torch.nn.functional.cross_entropy(out, y.long())

    dense = hessian(nll)(found.point)
    agree(matrix(found.hessian, found.point), dense)
    agree(found.traces()[0], dense.trace())
    agree(found.loss(), nll(found.point))
    gradients = torch.stack(
        [torch.func.grad(nll)(found.point, found.x[i : i + 1], found.y[i : i + 1]) for i in range(found.count)]
    )
    agree(found.gradient(), gradients.mean(0))
    agree(found.squared_norms(), gradients.square().sum(1))
    agree(matrix(found.second_moment, found.point), gradients.T @ gradients / found.count)
    # (5), with R as the second derivative of the probability itself
    probability = lambda w, i: torch.exp(-nll(w, found.x[i : i + 1], found.y[i : i + 1]))
    misfit = sum(
        -hessian(lambda w, i=i: probability(w, i))(found.point) / probability(found.point, i)
        for i in range(found.count)
    )
    agree(matrix(found.misfit, found.point), misfit / found.count, atol=1e-11)
    agree(found.traces()[1], misfit.trace() / found.count, atol=1e-11)


def test_a_perceptron_is_the_module_of_the_same_layers(agree):
    found = units(9, 4, heads=(), m=3)
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1)).double()
    torch.nn.utils.vector_to_parameters(found.point, net.parameters())
    twin, v = module(net, found.x, found.y, chunk=4), draw(*found.point.shape)
    agree(found.point, twin.point)
    for name in ("hessian", "misfit", "second_moment"):
        agree(getattr(found, name)(v), getattr(twin, name)(v))
    agree(torch.stack(found.traces()), torch.stack(twin.traces()))
    assert found.row_of.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [0, 1, 2] + [3] * 4
    assert twin.row_of.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 3 + [4] * 3 + [5]


def test_many_parameter_vectors_at_once_equal_one_at_a_time(agree):
    found = network()
    points = found.point + draw(2, 3, len(found.point)) / 3
    many, index = found.at(points), torch.tensor([[0, 1, 2], [3, 4, 5]])
    assert many.on(index).gradient().shape == (2, 2, 3, len(found.point))
    agree(many.loss()[1, 2], found.at(points[1, 2]).loss())
    agree(many.gradient()[1, 2], found.at(points[1, 2]).gradient())
    agree(many.on(index).gradient()[1, 0, 1], found.at(points[0, 1]).on(index[1]).gradient())
    agree(torch.stack(many.traces())[:, 0, 1], torch.stack(found.at(points[0, 1]).traces()))


@pytest.mark.parametrize("make", [lambda: linear(20, 5, heads=()), lambda: units(20, 5, heads=())])
def test_products_agree_with_curvlinops(make, agree):
    found = make()
    layers = [torch.nn.Linear(5, 1)]
    if not hasattr(found, "design"):
        layers = [torch.nn.Linear(5, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1)]
    net = torch.nn.Sequential(*layers).double()
    torch.nn.utils.vector_to_parameters(found.point, net.parameters())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        curvlinops = pytest.importorskip("curvlinops")
    x, y = rows(20, 5)
    loss = torch.nn.BCEWithLogitsLoss()
    data, parameters = [(x, y[:, None])], list(net.parameters())
    theirs = curvlinops.HessianLinearOperator(net, loss, parameters, data)
    v = draw(*found.point.shape)
    agree(found.hessian(v), theirs @ v)
    if hasattr(found, "design"):  # the Hessian of a linear head is its Gauss-Newton matrix
        agree(found.hessian(v), curvlinops.GGNLinearOperator(net, loss, parameters, data) @ v)
    fisher = curvlinops.EFLinearOperator(net, loss, parameters, data)
    agree(found.second_moment(v), fisher @ v)


def test_rows_far_from_the_boundary_keep_their_digits():
    logits, y = torch.tensor([40.0, -40.0, 800.0, 40.0], dtype=torch.float64), torch.tensor([1.0, 0.0, 1.0, 0.0])
    found = residual(logits, y)
    assert found[0] == pytest.approx(-math.exp(-40), rel=1e-12)
    assert found[1] == pytest.approx(math.exp(-40), rel=1e-12)
    assert found[2] == 0
    assert found[3] == 1
    curved, misfit = curvatures(logits, y)
    assert curved[3] == pytest.approx(math.exp(-40), rel=1e-12)
    assert misfit[3] == -1
    assert (misfit <= curved).all()


def test_the_ceiling_is_reached_on_the_ball_and_never_exceeded(agree):
    found = linear(9, 4, heads=(2,), scale=3.0)
    for rho in (0.0, 0.5, 3.0):
        highest = found.ceiling(rho)
        for k in range(5):
            e = draw(*found.point.shape, seed=k)
            there = found.at(found.point + rho * e / e.norm(dim=-1, keepdim=True))
            assert (there.variance <= highest * (1 + 1e-12)).all()
        row = found.design.z[3]
        sign = -found.logits[:, 3].sign()[:, None]
        reach = torch.minimum(torch.tensor(rho), found.logits[:, 3].abs() / row.norm())[:, None]
        agree(found.at(found.point + sign * reach * row / row.norm()).variance[:, 3], highest[:, 3])
    agree(found.ceiling(0.0), found.variance)
    agree(found.ceiling(math.inf), torch.full((2, 9), 0.25))


BAD = {
    "a label for each row": (lambda x, y: (x, y[:-1]), "a label for each row"),
    "finite features": (lambda x, y: (x.clone().fill_(torch.nan), y), "NaN or infinity"),
    "labels 0 and 1": (lambda x, y: (x, y * 2), "labels 0"),
    "rows": (lambda x, y: (x[:0], y[:0]), "a label for each row"),
}


@pytest.mark.parametrize("case", BAD)
def test_rows_that_do_not_fit_are_refused(case):
    change, message = BAD[case]
    x, y = change(*rows(6, 4))
    for make in (
        lambda: logistic(x, y, draw(4)),
        lambda: perceptron(x, y, draw(3, 4), draw(3), draw(3), draw()),
    ):
        with pytest.raises(FitError, match=message):
            make()
    if case != "labels 0 and 1":
        with pytest.raises(FitError, match=message):
            module(torch.nn.Linear(4, 1).double(), x, y)


def test_heads_that_do_not_fit_the_rows_are_refused():
    x, y = rows(6, 4)
    with pytest.raises(FitError, match="expected parameters"):
        logistic(x, y, draw(3))
    with pytest.raises(FitError, match="expected parameters"):
        logistic(x[None].expand(2, -1, -1), y.expand(2, -1), draw(3, 4))
    with pytest.raises(FitError, match="expected heads"):
        perceptron(x, y, draw(3, 5), draw(3), draw(3), draw())
    with pytest.raises(FitError, match="expected heads"):
        perceptron(x, y, draw(3, 4), draw(2), draw(3), draw())
    with pytest.raises(FitError, match="relu or identity"):
        perceptron(x, y, draw(3, 4), draw(3), draw(3), draw(), "gelu")
    with pytest.raises(FitError, match="with parameters"):
        module(torch.nn.ReLU(), x, y)
    with pytest.raises(FitError, match="labels 0"):
        module(torch.nn.Linear(4, 3).double(), x, -y)


def test_rows_of_the_landscape_are_one_for_a_linear_head():
    assert heads_at.linear(5, 3).row_of.tolist() == [0] * 4
