"""The measurements on a tiny world: against CoRIT's own pass, finite differences, and arithmetic by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from reference.heads import auc as slow_auc

from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.heads.head import HeadRecipe
from corit.model.corit import forward
from corit.studies.findings import gradient_opposition, hyperparameters, regional_gsnr, sweeps
from corit.studies.findings.encoders import card_of, ensure_encoder, weights_of
from corit.studies.findings.plan import MAIN, FindingsPlan, Setting, quick_plan
from corit.studies.findings.stores import backbone_of, encoder_of, extract_world, open_store, prepared_source
from corit.studies.findings.tasks import gsnr_at_zero, identities_of, read_features, reals_and_fakes, rows_of, tasks_of
from corit.theory.likelihood import logistic
from corit.theory.proxy import MaskedForward, compare
from corit.world.forgeries import KINDS

PLAN = replace(quick_plan(), encoders=(0,), targets=(MAIN,))
FROZEN = {"linear": {"learning_rate": 0.5, "epochs": 8}, "mlp": {"learning_rate": 0.001, "epochs": 8}}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    extract_world(folder, PLAN, 0)
    return folder


@pytest.fixture(scope="module")
def pictures(out):
    backbone = backbone_of(out, MAIN, 0)
    made = prepared_source(PLAN, 0, backbone, ("test",))
    views = [made.load(s) for s in made.samples[:4]]
    images, twins = (backbone.normalise(np.stack(x)) for x in zip(*((v.image, v.twins[0]) for v in views), strict=True))
    regions = torch.from_numpy(np.stack([v.regions for v in views]))
    return backbone, images, twins, regions


def test_all_variants_share_pictures_and_differ_in_features(out):
    stores = {v: open_store(out, MAIN, 0, v) for v in ("unifd", "corit", "no-mask", "pool", "plain")}
    assert {len(s) for s in stores.values()} == {(6 + 3 + 4) * 2 * 5}
    assert {tuple(s.features().ids) for s in stores.values()} == {tuple(stores["unifd"].features().ids)}
    unifd = read_features(stores["unifd"], "unifd", 8)["test"][0]
    # Without injection the class token is UniFD's; with it, it is not.
    for variant, same in (("pool", True), ("plain", True), ("corit", False), ("no-mask", False)):
        found = read_features(stores[variant], "corit-class", 8)["test"][0]
        assert torch.allclose(found, unifd, atol=2e-3) is same
    assert len({s.digest for s in stores.values()}) == 5


def test_a_finished_world_is_not_drawn_again(out, monkeypatch):
    monkeypatch.setattr(
        "corit.studies.findings.stores.PreparedSource.load", lambda *_: pytest.fail("a picture was drawn")
    )
    extract_world(out, PLAN, 0)


def test_narrow_features_are_principal_components(out):
    store = open_store(out, MAIN, 0, "corit")
    wide, narrow = (read_features(store, v, 8, ("train", "val")) for v in ("corit", "corit-narrow"))
    z = wide["train"][0]
    x = ((z - z.mean(0)) / (z.std(0, unbiased=False) * z.shape[1] ** 0.5)).double()
    energy = np.linalg.svd(x.numpy(), compute_uv=False)[: narrow["train"][0].shape[1]] ** 2
    found = (narrow["train"][0].double() ** 2).sum(0).numpy()
    np.testing.assert_allclose(found[: len(energy)], energy, rtol=1e-3, atol=1e-4)
    assert narrow["val"][0].shape[1] == narrow["train"][0].shape[1]


def test_a_cell_has_the_reals_and_one_type():
    z = torch.arange(6.0)[:, None]
    part = (z, np.array([0, 1, 1, 0, 1, 1]), np.array(["", "DF", "NT", "", "DF", "FS"]))
    rows, y = reals_and_fakes(part, "DF")
    assert rows.values[:, 0].tolist() == [0, 1, 3, 4]
    assert y.tolist() == [0, 1, 0, 1]
    assert len(reals_and_fakes(part, "")[1]) == 6


def test_gsnr_at_zero_equals_that_of_explicit_gradients(agree):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), (rng.random(30) < 0.5).astype(float)
    g = (0.5 - y)[:, None] * np.concatenate([x, np.ones((30, 1))], 1)
    noise = g.var(0, ddof=1).sum()
    found = gsnr_at_zero(torch.from_numpy(x), torch.from_numpy(y), [str(i) for i in range(30)])
    agree(found.independent, ((g.mean(0) ** 2).sum() - noise / 30) / noise)
    agree(found.clustered, found.independent)  # every row is a person of its own
    agree(found.plain, (g.mean(0) ** 2).sum() / g.var(0).sum())


def test_identities_belong_to_the_training_rows_of_a_type(out):
    store = open_store(out, MAIN, 0, "unifd")
    (one,) = tasks_of(store, Setting(MAIN, 0, "unifd", "linear", "standard", (8,)), HeadRecipe(), ["NT"])
    people = identities_of(store, "NT")
    assert len(people) == len(one.problem.train)
    assert len(set(people)) == quick_plan().train


def test_a_sweeps_record_has_a_cell_for_each_type(out):
    setting = Setting(MAIN, 0, "unifd", "mlp", "standard", (8,))
    record = sweeps.measure(out, PLAN, FROZEN, setting)
    again = sweeps.measure(out, PLAN, FROZEN, setting)
    assert record == again
    assert [(c["layer"], c["group"]) for c in record["cells"]] == [(8, k) for k in KINDS]
    for cell in record["cells"]:
        assert np.shape(cell["auc"]) == (len(PLAN.heads), len(PLAN.rhos))
        assert {r["censoring"] for r in cell["cor"]} <= {"", ">", "<", "never learned"}


def test_the_choice_has_the_fewest_epochs_near_the_best_auc():
    table = np.array([[0.50, 0.70, 0.699], [0.60, 0.698, 0.702], [0.55, 0.60, 0.61]])
    assert hyperparameters.choose(table) == (0, 1)
    assert hyperparameters.choose(np.array([[0.5, 0.6], [np.nan, np.nan]])) == (0, 1)


def test_hyperparameters_are_chosen_without_a_test_row(out, monkeypatch):
    asked = []
    plain = FeatureStore.features

    def noted(self, **equal):
        asked.append(equal.get("split"))
        return plain(self, **equal)

    monkeypatch.setattr(FeatureStore, "features", noted)
    found = hyperparameters.choose_all(out, PLAN)
    assert set(asked) == {"train", "val"}
    assert found["mlp"]["learning_rate"] in PLAN.perceptron_rates
    assert found["linear"]["epochs"] in PLAN.epochs
    assert hyperparameters.recipe_of(found, "mlp", "whiten").scaling == "whiten"


def test_the_forward_pass_with_fixed_masks_equals_corits(pictures):
    backbone, images, twins, regions = pictures
    recipe = encoder_of(backbone, "corit").recipe.model
    with torch.no_grad():
        whole = forward(backbone, images, twins, regions, recipe, keep_masks=True, keep_patches=True)
        z, v = MaskedForward(backbone, recipe, regions, whole.masks)(images, 6)
    assert torch.allclose(z, whole.z, atol=1e-5)
    assert torch.allclose(backbone.norm(v), whole.patches[:, 0], atol=1e-5)


def test_the_true_gradient_is_the_slope_of_the_score(pictures):
    backbone, images, twins, regions = pictures
    recipe = encoder_of(backbone, "corit").recipe.model
    masks = forward(backbone, images, twins, regions, recipe, keep_masks=True).masks
    run = MaskedForward(backbone, recipe, regions, masks)
    weight = torch.randn(run(images, 2)[0].shape[1], generator=torch.Generator().manual_seed(0)) / 30
    found = compare(run, images, twins, 4, lambda z: z @ weight)
    with torch.no_grad():
        v, twin = run(images, 4)[1], run(twins, 4)[1]
        step = 1e-2
        slope = (run(images, 4, v + step * (twin - v))[0] @ weight - run(images, 4)[0] @ weight) / step
        actual = run(images, 4, twin)[0] @ weight - run(images, 4)[0] @ weight
    assert torch.allclose(found.promised, slope, rtol=0.05, atol=2e-3)
    assert torch.allclose(found.rise, actual, atol=1e-4)
    assert (found.own.abs() <= 1).all()


def test_gradients_of_all_layers_and_scores_equal_those_one_by_one(pictures):
    backbone, images, twins, regions = pictures
    recipe = encoder_of(backbone, "corit").recipe.model
    masks = forward(backbone, images, twins, regions, recipe, keep_masks=True).masks
    run = MaskedForward(backbone, recipe, regions, masks)
    rng = torch.Generator().manual_seed(1)
    weights = torch.randn(2, run(images, 2)[0].shape[1], generator=rng) / 30
    gradients = run.gradients(images, [lambda z, w=w: z @ w for w in weights])
    for weight, by_layer in zip(weights, gradients, strict=True):
        assert len(by_layer) == backbone.depth
        for layer in (1, 5, backbone.depth):
            leaf = run(images, layer)[1].clone().requires_grad_(True)
            (alone,) = torch.autograd.grad((run(images, layer, leaf)[0] @ weight).sum(), leaf)
            assert torch.allclose(by_layer[layer - 1], alone, rtol=1e-3, atol=1e-6)


def test_regional_gsnr_rises_from_patch_to_pool_to_mask(agree):
    rng = torch.Generator().manual_seed(0)
    y = (torch.arange(200) % 2).float()
    # Two patches carry the same signal under independent noise, a third has none and lies outside of the mask.
    v = torch.randn(200, 3, 8, generator=rng, dtype=torch.float64)
    v[:, :2] += y[:, None, None]
    region, mask = torch.ones(200, 3, dtype=torch.bool), torch.tensor([True, True, False]).expand(200, 3)
    found = regional_gsnr.region_gsnr(v, region, mask, y, [str(i) for i in range(200)])
    assert found["masked"] > found["pooled"] > found["patch"] > 0
    agree(found["kept"], 2 / 3, rtol=1e-6)
    assert found["patches"] == 3


@pytest.mark.parametrize("seed", range(3))
def test_sam_never_opposes_its_batch_for_a_convex_loss(seed):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(40, 5, generator=rng, dtype=torch.float64)
    y = (torch.rand(40, generator=rng) < 0.4).double()
    heads = logistic(x, y, torch.randn(3, 5, generator=rng, dtype=torch.float64) * 3, torch.zeros(3).double())
    for row in gradient_opposition.measure_heads(heads):
        assert np.min(row["own_least"]) >= 1 - 1e-9
        if row["batch"] == "all":
            np.testing.assert_allclose(row["own_least"], row["expectation"], rtol=1e-4)


def test_sam_can_oppose_the_population_but_not_the_batch():
    # method: w = 0, batches of one, no bias; y = 0 has z = 1, y = 1 has z = 2 with probability .49, else 0.
    x = torch.tensor([[1.0]] * 100 + [[2.0]] * 49 + [[0.0]] * 51, dtype=torch.float64)
    y = torch.tensor([0.0] * 100 + [1.0] * 100, dtype=torch.float64)
    heads = logistic(x, y, torch.zeros(1, 1, dtype=torch.float64))
    row = gradient_opposition.measure_heads(heads, sizes=(1,))[0]
    assert np.min(row["own_least"]) >= 1 - 1e-9
    radius = float(heads.squared_gradient().sqrt() / heads.traces()[0])
    assert radius > 0
    every = torch.arange(200)[:, None]
    from corit.theory.stability import stability

    assert float(stability(heads, every, torch.tensor([0.1], dtype=torch.float64)).inner) < 0


def test_missing_encoders_without_photographs_are_an_error(tmp_path):
    with pytest.raises(DataError, match=r"semantic-1\.safetensors, or photographs to train it with: give --photos"):
        ensure_encoder(tmp_path, FindingsPlan(), MAIN, 1, None)
    ensure_encoder(tmp_path, FindingsPlan(), MAIN, 0, None)
    ensure_encoder(tmp_path, FindingsPlan(), "random", 0, None)
    assert weights_of(tmp_path, MAIN, 0) == "packaged"
    assert card_of(tmp_path, MAIN, 0)["steps"] == 6000
    assert not list(tmp_path.iterdir())


def test_invalid_plans_are_refused():
    with pytest.raises(DataError, match="radii that begin with 0"):
        replace(FindingsPlan(), rhos=(0.1, 0.2))
    with pytest.raises(DataError, match="semantic with them"):
        replace(FindingsPlan(), targets=("random",))
    with pytest.raises(DataError, match="targets among"):
        replace(FindingsPlan(), targets=("semantic", "nonsense"))


def test_rows_of_a_task_are_its_training_rows(out):
    setting = Setting(MAIN, 0, "unifd", "linear", "standard", (8,))
    task = tasks_of(open_store(out, MAIN, 0, "unifd"), setting, HeadRecipe(), ["NT"])[0]
    x, y = rows_of(task)
    assert x.shape == (24, 96)
    assert y.sum() == 12
    assert slow_auc(task.test_labels, np.arange(len(task.test_labels), dtype=float)) >= 0
