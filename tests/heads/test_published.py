"""UniFD's published head: accepted byte for byte, from a file or fetched once, and nothing else."""

from __future__ import annotations

import hashlib
import http.client
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from corit.errors import WeightsError
from corit.heads import published
from corit.heads.published import unifd_head
from corit.seeding import torch_generator

SHARED = Path(__file__).parents[3] / "shared" / "weights" / "unifd_fc_weights.pth"


@pytest.fixture
def stand_in(monkeypatch):
    """The bytes of another head of the published shape, taken for the published one."""
    drawn = torch.rand(1, 768, generator=torch_generator("published"))
    held = io.BytesIO()
    torch.save({"weight": drawn, "bias": torch.tensor([0.25])}, held)
    monkeypatch.setattr(published, "SHA256", hashlib.sha256(held.getvalue()).hexdigest())
    return held.getvalue(), drawn[0].numpy()


def test_the_logit_is_the_raw_feature_times_the_weight_plus_the_bias(stand_in, tmp_path, agree):
    (tmp_path / "head.pth").write_bytes(stand_in[0])
    z = torch.rand(3, 768, generator=torch_generator("z"))
    expected = [sum(float(a) * float(b) for a, b in zip(row, stand_in[1], strict=True)) + 0.25 for row in z.numpy()]
    agree(unifd_head(tmp_path / "head.pth").logits(z).numpy(), expected, rtol=1e-5)


def test_it_is_fetched_once_and_kept(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path / "cache"))
    asked = []

    def get(url):
        asked.append(url)
        return stand_in[0]

    first, second = unifd_head(get=get), unifd_head(get=get)
    assert asked == [published.URL]
    assert torch.equal(first.weight, second.weight)
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [published.NAME]


def test_other_bytes_are_refused_and_not_kept(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match=r"sha256 .* got 9 bytes"):
        unifd_head(get=lambda url: b"not found")
    assert not (tmp_path / "cache").exists()
    (tmp_path / "head.pth").write_bytes(stand_in[0][:-1])
    with pytest.raises(WeightsError, match="fetch it again"):
        unifd_head(tmp_path / "head.pth")


def test_a_damaged_file_in_the_cache_is_fetched_again(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path))
    (tmp_path / published.NAME).write_bytes(stand_in[0][:-7])
    unifd_head(get=lambda url: stand_in[0])
    assert (tmp_path / published.NAME).read_bytes() == stand_in[0]


def test_a_file_that_was_half_written_is_not_in_the_cache(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path / "cache"))

    def full(path, data):
        with open(path, "wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WeightsError, match="No space left on device"):
        unifd_head(get=lambda url: stand_in[0])
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_written_says_what_to_do(stand_in, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match="set CORIT_CACHE to a folder that can be written.*--unifd-head FILE"):
        unifd_head(get=lambda url: stand_in[0])


def test_a_download_that_is_cut_off_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path))

    class Cut:
        __enter__ = lambda self: self
        __exit__ = lambda self, *_: None

        def read(self):
            raise http.client.IncompleteRead(b"half", 4000)

    monkeypatch.setattr(published.urllib.request, "urlopen", lambda url, timeout: Cut())
    with pytest.raises(WeightsError, match=f"--unifd-head FILE, or put it at {tmp_path}/{published.NAME}"):
        unifd_head()


def test_a_file_that_is_absent_is_an_error_in_words(tmp_path):
    with pytest.raises(WeightsError, match="No such file"):
        unifd_head(tmp_path / "absent.pth")


def test_a_machine_without_a_network_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path))
    monkeypatch.setattr(published, "URL", (tmp_path / "nothing").as_uri())
    with pytest.raises(WeightsError, match="Fetch the file elsewhere"):
        unifd_head()


@pytest.mark.skipif(not SHARED.exists(), reason=f"UniFD's published head is not at {SHARED}")
def test_the_published_head_is_the_one_described():
    head = unifd_head(SHARED)
    assert head.weight.shape == (1, 768)
    assert float(head.bias) == pytest.approx(-0.5167, abs=1e-4)
    assert float(head.weight.norm()) == pytest.approx(6.2001, abs=1e-4)
    assert np.isfinite(head.logits(torch.ones(1, 768)).numpy()).all()
