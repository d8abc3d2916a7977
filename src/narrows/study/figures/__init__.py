"""Figures of a study: from trained models to the arrays of figures.

A picture is a function of the trained runs and of the figure's options; it yields figures, whose
arrays are all that drawing needs, and nothing if there is nothing to show. To add a kind: one
function, one entry in `STUDY_FIGURES`.

history    what training recorded, over epochs and steps
images     images and what models make of them
codes      the space of codes
decoded    images from codes: new ones, paths, noise
weights    filters and kernels
anomalies  anomaly scores with the threshold, and the images that they point at
rates      bytes an image against what comes back
theory     the score field of a denoiser
per_run    a picture of one run, made a picture of several
"""

from narrows.study.figures import anomalies, codes, decoded, history, images, rates, theory, weights

STUDY_FIGURES = {
    "curves": history.curves,
    "steps": history.steps,
    "compared": history.compared,
    "inputs": images.inputs,
    "reconstructions": images.reconstructions,
    "beside": images.beside,
    "strengths": images.strengths,
    "snapshots": images.snapshots,
    "errors": images.errors_of,
    "tested": images.crossed,
    "codes": codes.codes,
    "code-images": codes.code_images,
    "correlation": codes.correlation,
    "spread": codes.spread,
    "samples": decoded.samples,
    "plane": decoded.plane,
    "classes": decoded.classes,
    "interpolation": decoded.interpolation,
    "perturbed": decoded.perturbed,
    "legible": decoded.legible,
    "anomalies": anomalies.anomalies,
    "rate_distortion": rates.rate_distortion,
    "filters": weights.filters,
    "kernels": weights.kernels,
    "field": theory.field,
    "walk": theory.walk,
}
