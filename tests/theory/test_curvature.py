from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from theory.heads_at import draw, linear, rows, twins, units

from corit.errors import ConvergenceError, FitError
from corit.theory.curvature import lambda_max
from corit.theory.likelihood import Operator


def operator(matrices):
    """Dense symmetric matrices (..., N, N)."""
    return Operator(lambda v: (matrices @ v[..., None])[..., 0], tuple(matrices.shape[:-1]), matrices)


def spectrum(*values, seed=0, dtype=torch.float64):
    """A symmetric matrix of these eigenvalues, and its eigenvectors as columns."""
    q = torch.linalg.qr(draw(len(values), len(values), seed=seed))[0]
    return (q @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ q.T).to(dtype), q.to(dtype)


@pytest.mark.parametrize(
    "make",
    [
        lambda: linear(12, 4),
        lambda: linear(5, 9, heads=(2, 3)),
        lambda: units(12, 4),
        lambda: units(5, 6, heads=(2, 1)),
    ],
)
def test_lambda_max_is_that_of_the_dense_hessian(make, agree):
    found = make()
    largest = lambda_max(found.operator(), tolerance=1e-9)
    agree(largest.value.flatten(), [t.population.lambda_max for t in twins(found)])
    assert largest.value.shape == found.point.shape[:-1]


def test_the_residual_is_that_of_the_vector_and_bounds_the_error():
    a = torch.stack([spectrum(*np.linspace(0.1, 3, 40), seed=k)[0] for k in range(4)])
    for tolerance in (1e-1, 1e-3, 1e-6):
        found = lambda_max(operator(a), tolerance=tolerance)
        gap = (a @ found.vector[..., None])[..., 0] - found.signed[:, None] * found.vector
        assert torch.allclose(found.residual, gap.norm(dim=-1) / found.value, rtol=1e-6, atol=1e-13)
        assert (found.residual <= tolerance).all()
        assert ((found.value - 3).abs() <= found.residual * found.value + 1e-12).all()
        assert torch.allclose(found.vector.norm(dim=-1), torch.ones(4, dtype=torch.float64))


def test_a_larger_tolerance_and_a_good_start_save_products():
    a = spectrum(*np.linspace(0.1, 3, 60), 3.5)[0]
    loose, tight = (lambda_max(operator(a), tolerance=t) for t in (1e-2, 1e-8))
    assert loose.steps < tight.steps
    again = lambda_max(operator(a), tolerance=1e-3, start=tight.vector)
    assert again.steps < lambda_max(operator(a), tolerance=1e-3).steps


def test_a_negative_largest_eigenvalue_keeps_its_sign():
    found = lambda_max(operator(spectrum(1.0, 2.0, -5.0, 0.5)[0]))
    assert found.value == pytest.approx(5.0)
    assert found.signed == pytest.approx(-5.0)


def test_a_matrix_of_zeros_has_the_value_zero_without_residual():
    a = torch.zeros(3, 3, dtype=torch.float64)
    both = torch.stack([a, spectrum(1.0, 2.0, 4.0)[0]])
    found = lambda_max(operator(both))
    assert found.value.tolist() == pytest.approx([0.0, 4.0])
    assert found.residual[0] == 0
    assert found.vector[0].norm() == pytest.approx(1)


@pytest.mark.parametrize("values", [(2.0, 2.0, 2.0, 1.0, 0.1), (3.0,) * 6, (2.0, -2.0, 1.0, 0.5)])
def test_repeated_eigenvalues_are_no_obstacle(values):
    found = lambda_max(operator(spectrum(*values)[0]))
    assert found.value == pytest.approx(max(values))
    assert found.residual <= 1e-6


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
def test_a_start_orthogonal_to_the_top_vector_does_not_mislead(tolerance):
    """The start is itself an eigenvector, of another eigenvalue, as after two eigenvalues have crossed."""
    a, q = spectrum(*np.linspace(0.05, 1, 30), 2.0, 3.0)
    for start in (q[:, -2], q[:, 0], torch.zeros(32, dtype=torch.float64), torch.full((32,), torch.nan)):
        assert lambda_max(operator(a), start=start, tolerance=tolerance).value == pytest.approx(3.0, rel=tolerance)


def test_an_unconverged_result_is_an_error_unless_unchecked():
    a = spectrum(*np.linspace(0.9, 1, 200))[0]
    with pytest.raises(ConvergenceError, match="allow more steps or a larger tolerance"):
        lambda_max(operator(a), steps=4, tolerance=1e-8)
    found = lambda_max(operator(a), steps=4, tolerance=1e-8, check=False)
    assert found.residual > 1e-8
    assert lambda_max(operator(a), steps=200, tolerance=1e-8).value == pytest.approx(1.0)
    with pytest.raises(FitError, match="at least one product"):
        lambda_max(operator(a), steps=0)


def test_a_diverged_head_is_not_a_number_and_leaves_the_others_alone(agree):
    found = linear(9, 4, heads=(3,))
    broken = found.at(torch.stack([found.point[0], torch.full((5,), torch.nan, dtype=torch.float64), found.point[2]]))
    values = lambda_max(broken.operator()).value
    assert torch.isnan(values[1])
    agree(values[[0, 2]], lambda_max(found.operator()).value[[0, 2]])


def test_single_precision_stops_where_its_rounding_reigns():
    a = spectrum(*np.linspace(0.1, 3, 300), dtype=torch.float32)[0]
    found = lambda_max(operator(a), tolerance=0.0)
    assert found.value == pytest.approx(3.0, rel=1e-4)
    assert found.steps < 200


def test_no_heads_have_no_eigenvalues():
    assert lambda_max(operator(torch.zeros(0, 3, 3))).value.shape == (0,)


def test_the_top_eigenvalue_agrees_with_curvlinops(agree):
    from scipy.sparse.linalg import eigsh

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        curvlinops = pytest.importorskip("curvlinops")
    found = units(20, 5, heads=())
    net = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1)).double()
    torch.nn.utils.vector_to_parameters(found.point, net.parameters())
    x, y = rows(20, 5)
    theirs = curvlinops.HessianLinearOperator(
        net, torch.nn.BCEWithLogitsLoss(), list(net.parameters()), [(x, y[:, None])]
    )
    top = eigsh(theirs.to_scipy(), k=1, which="LM", return_eigenvectors=False)[0]
    agree(lambda_max(found.operator(), tolerance=1e-10).signed, top, rtol=1e-9)
