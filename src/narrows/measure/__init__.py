"""Measures that need no model: image against image, statistics of codes, probes, and tables of
results.

pixelwise        mse, psnr, snr, bce: one image against another, pixel by pixel
opponent         colours as luminance and two differences
similarity       ssim: structural similarity, window by window
per_image        how the two kinds of arguments, arrays and tensors, are read
noise            estimate_noise, noise_correlation: how strong the noise of a picture is
detection        auroc, average_precision, best_f1: how well a score tells two kinds apart
bootstrap        detection_intervals: how far these measures would differ with other images
conformal        thresholds of scores that hold for new images
histogram        bins of scores, in which a threshold can be seen
localisation     pixel_auroc, aupro: how well maps of anomaly find anomalous regions
pixel_counts     the scores of the pixels of many maps, in bounded memory
code_statistics  which units of a code are active, dead or constant; correlation, KL, spread of classes
probes           how much of the class a simple classifier reads from a code
names            the names of measures in words, with their units
table            Table: rows of results as text, HTML and JSON

Each name is loaded at its first use: `names` and `table` work without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
