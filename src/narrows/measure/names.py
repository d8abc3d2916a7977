"""The names of measures in words, with their units and scales: what tables and pages print. Nothing
here needs torch.

A measure of several views of an image has a prefix: "denoised_psnr" is "PSNR after denoising, dB".
The scale that measures are taken on, [0, 1] or [-1, 1], changes the squared error, the
signal-to-noise ratio and the structural similarity, so their names carry it; a PSNR is the same on
both.
"""

from typing import Any

MEASURE_NAMES: dict[str, tuple[str, str]] = {  # name -> title, unit
    "mse": ("MSE", "per pixel"),
    "psnr": ("PSNR", "dB"),
    "snr": ("SNR", "dB"),
    "ssim": ("SSIM", ""),
    "elbo": ("ELBO", "nats an image, higher is better"),
    "nll": ("NLL", "nats an image"),
    "kl": ("KL", "nats an image"),
    "bce": ("BCE", "nats an image"),
    "signal_power": ("signal power", "mean square on [0, 1]"),
    "code_rms": ("root mean square of the code", "over its units"),
    "active_units": ("active units", "of an image, on average"),
    "dead_units": ("dead units", "of the code"),
    "code_size": ("code size", "numbers"),
    "side_bits": ("side channel", "bits an image"),
    "parameters": ("parameters", ""),
    "seconds": ("duration", "seconds"),
}
SCALED = ("mse", "snr", "ssim")  # the measures whose values depend on the scale of the pixels
WITH_CONSTANT = ("elbo", "nll")  # the measures that hold the likelihood's constant
VIEW_NAMES = {
    "noisy": "of the noisy input",
    "denoised": "after denoising",
    "sampled": "with a sampled code",
}


def measure_title(name: Any, scale: str = "") -> str:
    """A measure's name in words, such as "MSE after denoising, per pixel on [0, 1]"; an unknown
    name as it is.

    scale: that the measures were taken on, such as "[0, 1]".
    """
    view, base = _split_view(str(name))
    if base not in MEASURE_NAMES:
        return str(name)
    title, unit = MEASURE_NAMES[base]
    if scale:
        unit = measure_unit(base, scale)
    words = f"{title} {VIEW_NAMES.get(view, '')}".strip()
    return with_unit(words, unit)


def measure_unit(name: str, scale: str) -> str:
    """The unit of a measure that is taken on a scale, such as "per pixel on [0, 1]".

    It is "" for an unknown measure.
    """
    base = _split_view(name)[1]
    unit = MEASURE_NAMES.get(base, ("", ""))[1]
    if base not in SCALED:
        return unit
    return f"{unit} on {scale}".strip()


def with_unit(title: str, unit: str) -> str:
    """A title and its unit, as one text."""
    return f"{title}, {unit}" if unit else title


def _split_view(name: str) -> tuple[str, str]:
    """The view that a measure is of, "" for the usual one, and the measure."""
    view, _, base = name.partition("_")
    return (view, base) if view in VIEW_NAMES else ("", name)
