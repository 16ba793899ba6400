"""What a run shares, keeps and notices: heads trained once, data sets that changed, weights that are not there."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from paper.paper_runs import REAL, WORLD, command

from corit.bench import detectors, runner
from corit.bench.benchmark import Predictions
from corit.bench.protocols import Selection
from corit.bench.runner import FeatureRequest, Runner, RunSettings
from corit.bench.testbed import Size, miniature_testbed
from corit.bench.variant import CORIT, UNIFD, RecipeVariant
from corit.data.frames import path_beside
from corit.errors import DataError, WeightsError
from corit.heads.published import WIDTH
from corit.metrics.auc import auc as area
from corit.paper import robustness, tables
from corit.paper.artefact import artefact
from corit.paper.robustness import CLEAN
from corit.paper.run import settings_of
from corit.sources import open_source
from corit.world.miniature import Miniature, MiniatureSpec


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return Runner(miniature_testbed(Size.of(6, 2)), tmp_path_factory.mktemp("lab"), RunSettings(seeds=(0, 1), draws=5))


def auc(labels, scores):
    return area(np.array(labels), np.array(scores))


def test_figure_8_uses_the_heads_of_the_protocol(here):
    of = here.testbed.protocol("faceforensics")
    kinds = ("DF", "F2F", "FS", "NT")
    first = of.replace(test=(Selection("miniature", "test", kinds, name=CLEAN),), frames=1, choice="first")
    found = here.predict(of, UNIFD, first, {"miniature": here.store(FeatureRequest("miniature", UNIFD, of))})[CLEAN]
    every = {}
    for scored in here.predictions(of, UNIFD).values():
        every |= dict(zip(scored.keys, scored.scores.T, strict=True))
    assert len(found.keys) == len(every) / 2  # one of two pictures of each video
    np.testing.assert_allclose(found.scores.T, [every[k] for k in found.keys], atol=1e-6)


def test_a_perturbation_is_compared_on_pictures_with_both_scores():
    def held(keys, scores):
        labels = np.array([int(k[0] == "f") for k in keys])
        groups = np.array([k[1] for k in keys])
        return Predictions(tuple(keys), labels, np.array([scores]), groups, np.arange(len(keys)))

    clean = held(["f~1", "f2", "r1", "r2", "r3"], [0.9, 0.4, 0.5, 0.1, 0.2])
    damaged = held(["r3~blur 2", "r1~blur 2", "f2~blur 2", "f~1~blur 2"], [0.6, 0.3, 0.5, 0.7])
    at = {k: i for i, k in enumerate(clean.keys)}
    (found,) = robustness.compare(("blur", 2), clean, at, damaged, draws=10)
    before, after = auc([1, 1, 0, 0], [0.9, 0.4, 0.5, 0.2]), auc([1, 1, 0, 0], [0.7, 0.5, 0.3, 0.6])
    assert found.auc.value == after
    assert found.variation.value == pytest.approx(after / before - 1)
    with pytest.raises(DataError, match="no picture could be measured both without damage and under blur 2"):
        robustness.compare(("blur", 2), clean, {}, damaged, draws=10)


def test_a_changed_data_set_is_measured_again(tree, tmp_path):
    root, out = tmp_path / "sets", tmp_path / "out"
    shutil.copytree(tree, root)
    words = ("table2", "--root", root, *REAL, "--out", out)
    assert command(*words) == 0
    before = json.loads((out / "index.json").read_text())["artefacts"][0]["notes"]
    listed = root / "Celeb-DF-v2" / "List_of_testing_videos.txt"
    fakes = [line for line in listed.read_text().splitlines() if line.startswith("0 ")]
    listed.write_text(listed.read_text().replace(fakes[0] + "\n", ""))
    assert command(*words) == 0
    after = json.loads((out / "index.json").read_text())["artefacts"][0]["notes"]
    assert before != after  # one fake video less in one column, which the note under the table counts


def test_the_files_digest_changes_with_any_file(tree, tmp_path):
    root = tmp_path / "sets"
    shutil.copytree(tree / "Celeb-DF-v1", root / "Celeb-DF-v1")
    source = lambda: open_source(f"celeb-df-v1:{root / 'Celeb-DF-v1'}")
    first = runner.files_digest(source())
    assert runner.files_digest(source()) == first
    picture = source().samples[3].path
    shutil.copy(source().samples[4].path, picture)
    second = runner.files_digest(source())
    assert second != first
    landmarks = Path(path_beside(picture, "landmarks", ".npy"))
    np.save(landmarks, np.load(landmarks) + 1)
    third = runner.files_digest(source())
    assert third != second
    landmarks.unlink()  # a row that then cannot be measured is measured again when they are back
    assert runner.files_digest(source()) not in (second, third)


def test_the_rows_digest_changes_with_rows_and_drawing_code(tree, tmp_path):
    root = tmp_path / "sets"
    shutil.copytree(tree / "Celeb-DF-v1", root / "Celeb-DF-v1")
    source = lambda: open_source(f"celeb-df-v1:{root / 'Celeb-DF-v1'}")
    first = runner.rows_digest(source())
    shutil.copy(source().samples[4].path, source().samples[0].path)
    assert runner.rows_digest(source()) == first  # the store itself measures the changed picture again
    listed = root / "Celeb-DF-v1" / "List_of_testing_videos.txt"
    listed.write_text("\n".join(listed.read_text().splitlines()[1:]))
    assert runner.rows_digest(source()) != first
    world = Miniature(MiniatureSpec(train=2, val=2, test=2, pictures=1, kinds=("DF",)))
    drawn = runner.rows_digest(world)

    class Redrawn(Miniature):
        def load(self, sample):
            return replace(super().load(sample), pixels=np.zeros((64, 64, 3), np.uint8))

    assert runner.rows_digest(Redrawn(world.spec)) != drawn == runner.rows_digest(Miniature(world.spec))


def test_settings_that_change_numbers_prevent_reuse(here, tmp_path):
    four = artefact("table4")
    known = settings_of(here, four)
    for changes in (
        {"seeds": (0, 1, 2)},
        {"other_weights": {"clip-vit-b16": "random:0"}},
        {"unifd_head": tmp_path / "head"},
    ):
        other = Runner(here.testbed, here.out, replace(here.settings, **changes))
        assert settings_of(other, four) != known
    assert settings_of(Runner(here.testbed, here.out, RunSettings(seeds=(0, 1), draws=5)), four) == known
    file = tmp_path / "b16.safetensors"
    file.write_bytes(b"one")
    with_file = lambda: settings_of(
        Runner(here.testbed, here.out, RunSettings(other_weights={"clip-vit-b16": str(file)})), four
    )
    before = with_file()
    file.write_bytes(b"another")
    assert with_file() != before


def test_missing_weights_of_another_backbone_name_the_option(here, tmp_path, monkeypatch):
    def lacking(name, weights):
        raise WeightsError(f"expected to fetch {name}")

    monkeypatch.setattr(runner, "load_backbone", lacking)
    made = Runner(here.testbed, tmp_path)
    with pytest.raises(WeightsError, match="fetch clip-vit-b16; for this one: --other-weights clip-vit-b16=FILE"):
        made.backbone(RecipeVariant("corit", {}, "clip-vit-b16"))
    with pytest.raises(WeightsError, match="fetch miniature$"):
        made.backbone()


def test_a_failed_artefact_removes_its_earlier_files(tmp_path):
    assert command("table3", *WORLD, "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / "table03.csv").exists()
    (tmp_path / "empty").mkdir()
    assert command("table3", "--root", tmp_path / "empty", *REAL, "--out", tmp_path / "out") == 1
    assert not list((tmp_path / "out").glob("table03.*"))


def test_table_10_uses_the_given_weights(tmp_path, tree, monkeypatch):
    from corit.bench.testbed import real_testbed

    names = {"CLIP ViT-L": "clip-vit-l14", "CLIP ViT-B": "clip-vit-b16", "ImageNet ViT-L": "vit-l16-imagenet"}
    assert tuple(names.values()) == artefact("table10").backbones
    monkeypatch.setattr(tables, "BACKBONE_TITLES", names)  # which other tests replace by what needs no weights
    other = {"clip-vit-b16": "random:3"}
    settings = RunSettings(backbone="clip-vit-l14", weights="random:0", other_weights=other)
    made = Runner(real_testbed(str(tree)), tmp_path, settings)
    named = {t: made.settings.backbone_of(v) for t, v in tables.backbone_variants(made, "corit").items()}
    assert named == {
        "CLIP ViT-L": ("clip-vit-l14", "random:0"),
        "CLIP ViT-B": ("clip-vit-b16", "random:3"),
        "ImageNet ViT-L": ("vit-l16-imagenet", "auto"),
    }


def test_missing_weights_cost_other_artefacts_no_pass(here, tmp_path, monkeypatch):
    passes = []
    extract, backbone = runner.extract, runner.load_backbone

    def counted(source, targets, **options):
        passes.append(len(targets))
        return extract(source, targets, **options)

    def absent(name, weights=""):
        if weights == "random:1":
            raise WeightsError("not to be had")
        return backbone(name, weights)

    monkeypatch.setattr(runner, "extract", counted)
    monkeypatch.setattr(runner, "load_backbone", absent)
    words = ["--people", "6", "--pictures", "1", "--seeds", "1", "--draws", "5", "--workers", "0"]
    assert command("table1", "table10", *words, "--out", tmp_path) == 1
    assert len(passes) == len(set(here.testbed.protocol("cross-dataset").data))  # one for each data set
    assert set(passes) == {6}  # four detectors, and two more on one of the two random backbones


def test_a_published_head_that_does_not_fit_is_noted():
    class Narrow:
        projection = type("Projection", (), {"out_features": 512})()

    class Bare:
        def backbone(self):
            return Narrow()

    rows_, said = detectors.unifd_with_published_head(Bare())
    assert rows_ == []
    assert said == (f"UniFD's published head reads {WIDTH} numbers, and this backbone projects to 512.",)


def test_stand_ins_of_all_forgeries_have_their_own_pictures(here):
    of = here.testbed.protocol("cross-dataset")
    ids = {t.title: {s.id for s in here.source(t.data).samples} for t in of.test}
    assert not any(ids["DFDC"] & ids[t] for t in ids if t != "DFDC")
    values = here.summary(of, CORIT).values
    others = np.mean([values[t].value for t in ("CDFv1", "CDFv2", "DFDCP", "DFD")])
    assert values["DFDC"].value != pytest.approx(others, abs=1e-9)
