"""Packs: a folder of many images as a few tars with an index, read at random."""
