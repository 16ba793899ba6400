"""The Hugging Face hub: whether weights are in its cache here, and what a failed download means."""

from __future__ import annotations

from corit.errors import WeightsError

WEIGHT_FILES = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin")


def is_cached(timm_name: str) -> bool:
    """Tell whether the hub's weights of a timm model are in the hub's cache on this machine, without a request."""
    from huggingface_hub import try_to_load_from_cache

    repo = _repository(timm_name)
    return repo is not None and any(isinstance(try_to_load_from_cache(repo, f), str) for f in WEIGHT_FILES)


def download_error(name: str, timm_name: str, err: Exception) -> WeightsError:
    """Put a failed download of a backbone's weights into words, with what to do instead."""
    return WeightsError(
        f"expected to fetch {name} from the Hugging Face hub ({_repository(timm_name) or timm_name}), but: "
        f"{type(err).__name__}: {str(err).splitlines()[0][:200]}. Download model.safetensors of that repository "
        "elsewhere and pass its path as --weights, or use --weights random:0 for a rehearsal"
    )


def _repository(timm_name: str) -> str | None:
    import timm

    return getattr(timm.get_pretrained_cfg(timm_name), "hf_hub_id", None) or None
