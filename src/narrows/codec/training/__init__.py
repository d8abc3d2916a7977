"""Training of pixel models; needs torch, as decoding does not.

fit              a model of few values from images
mixture_fit      a model of colours or of many values from images
trial            which of the two is better for grey images
sizes            how large a model should be for a set of images
samples          pixels and their neighbours in random batches
loop             the steps of a training
optimiser        how a step changes weights
network          the network of few values in floats, that becomes one in integers
mixture_network  the networks of colours or of many values
integer_network  what both have in common: rounding, and the integers
rounding         rounding with a gradient
"""
