"""Denoisers that need no training by the user, and what can be restored with a denoiser.

denoise     denoise: arrays of images, grey or colour, of any size and type; the table of denoisers
denoiser    what a denoiser is
photo       the network that comes with the package, and those that users train
baseline    the non-local ridge as a baseline of trained denoisers
folders     pictures one after another, and what is said of their noise
non_local   the non-local ridge: two passes over a picture
patches     groups of patches that are alike, and pictures made of overlapping patches
ridge       the best linear combination of the patches of a group, in closed form
parallel    parts of a picture, computed side by side
margins     small pictures made larger, large ones cut into tiles
operators   how a picture was damaged: a mask, a smaller size, a blur
quality     how well a picture was denoised, without the truth
restore     restore: such a picture, with a denoiser as the prior
"""
