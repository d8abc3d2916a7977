"""The estimators: what a user fits.

base           what every model can do: transform, reconstruct, score, sample, flag
defaults       what a model answers if it has nothing of its own to say
autoencoder    the autoencoder: its options, `fit`, `partial_fit`
network_model  what a model made of a network does with images
pca            principal components, the linear autoencoder in closed form
components     components from images, or from moments
neighbours     the nearest images of a training set
spaces         where neighbours are compared: blurred pixels, or codes
folds          the scores of training images by components of the others
prepare        options and images → a training
fitting        what all fits have in common: a look at the images, and a calibration at the end
nested         options of parts as parameters of their own, such as `bottleneck__size`
option_values  values of options that no images can make right
arguments      checks of what methods are given
inference      a model applied to many images, batch by batch
anomaly        anomaly scores
gathered_scores  scores of many images, from which thresholds follow
flagging       thresholds, and which images are flagged
collapse       reports of a code that carries nothing, or a constant output
score_field    ∇ log p(x), and steps towards the data
weight_images  weights as images
"""
