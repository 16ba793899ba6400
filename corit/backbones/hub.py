"""The Hugging Face hub: whether weights are in its cache here, and what a failed download means."""

from __future__ import annotations

from pathlib import Path

from corit.errors import WeightsError

WEIGHT_FILES = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin")


def is_cached(timm_name: str) -> bool:
    """Tell whether the hub's weights of a timm model are in the hub's cache on this machine, without a request."""
    return cached_file(timm_name) is not None


def cached_file(timm_name: str) -> Path | None:
    """Find the hub's weights of a timm model in the hub's cache on this machine, without a request."""
    from huggingface_hub import try_to_load_from_cache

    repo = _repository(timm_name)
    places = (try_to_load_from_cache(repo, file) for file in WEIGHT_FILES) if repo else ()
    return next((Path(place) for place in places if isinstance(place, str)), None)


def repository_name(timm_name: str) -> str:
    """Name the hub's repository of a timm model; the model's own name where timm knows none."""
    return _repository(timm_name) or timm_name


def download_error(name: str, timm_name: str, err: Exception) -> WeightsError:
    """Put a failed download of a backbone's weights into words, with what to do instead."""
    return WeightsError(
        f"expected to fetch {name} from the Hugging Face hub ({repository_name(timm_name)}), but: "
        f"{type(err).__name__}: {str(err).splitlines()[0][:200]}. Download model.safetensors of that repository "
        "elsewhere and pass its path as --weights, or use --weights random:0 for a rehearsal"
    )


def _repository(timm_name: str) -> str | None:
    import timm

    return getattr(timm.get_pretrained_cfg(timm_name), "hf_hub_id", None) or None
