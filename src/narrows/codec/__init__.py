"""Compression of images to files: a model of pixels, or the code of an autoencoder, and an entropy coder."""
