"""Training patches: small pieces of large pictures, pixel for pixel, where there is something to learn.

plan          how many, of which size, with which seed
variance      the standard deviation of every patch of a picture
places        places at random, by that deviation, that do not overlap much
names         photo_y0128_x0064.png, and back to the picture
cut           pictures -> patches, in two passes over the files
write         patches as files of their own, with a list
"""
