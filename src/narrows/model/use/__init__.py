"""What fitted models are used for.

evaluate    measures of reconstructions, bounds and codes
baselines   classical denoisers compared with a model
denoisers   these denoisers: median, total variation, wavelet, non-local means, BM3D
separation  how well scores and error maps tell anomalous images and pixels from normal ones
error_maps  where the error of a picture is, drawn with one scale for a set
folders     pictures of all sizes, one after another
channels    the channels of pictures, and those of a model
tiles       pictures larger than the model's own images
cost        what a very large training will take
latent      interpolation between images, and noise on codes
"""
