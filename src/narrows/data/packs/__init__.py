"""Packs: a folder of many images as a few tars with an index, read at random.

pack         a folder -> a pack
tar_writer   the tars of a pack while they grow, in the layout of WebDataset
index        the index: where in which tar each image is
reader       a pack, or any tar of images -> its images, one by its place or all as a set
pictures     its pictures one after another, each in its own size and mode
tar_headers  the index of a tar that has none, from its headers
tar_members  the files of a tar, links and repeated ones resolved
"""
