"""Training of pixel models; needs torch, as decoding does not.

fit       a model of few values from images
sizes     how large a model should be for a set of images
samples   pixels and their neighbours in random batches
loop      the steps of a training
network   the network in floats, that becomes one in integers
rounding  rounding with a gradient
"""
