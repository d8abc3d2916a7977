"""Where images come from: named sets, files and folders become one `ImageSet`.

imageset    what every reader gives: images, labels, names, classes, source, fingerprint
load        `load_data` and `read`: a name, a spec or a path -> an `ImageSet`
together    the same over the ranks of a machine, each of which decodes its share
named       the table of named sets; to add one: a function and an entry
coloured    grey images with strokes in a random colour
fetch       the files of named sets: found, or downloaded, and always checked
formats     the table of file formats; to add one: a function and an entry
idx         IDX files                arrays      .npy and .npz
folder      folders of images        pictures    one image file -> pixels
stream      the pictures of a folder one after another, each in its own size
pairs       clean images beside noisy ones, matched by name or by place
decode, rows, scratch   many pictures -> one array, in memory or on the disk
codes, write            what comes out: codes, arrays, pictures
packs/      a folder -> a few tars with an index (pack, shards), and back to images (packed, index, tars)
shares/     one work in parts: a share of the inputs (share), what it has written (mark), all together (merge, joined)
"""

from narrows.data.formats import FORMATS
from narrows.data.image_set import ImageSet, fingerprint
from narrows.data.load import load_data, read_data
from narrows.data.named import NAMED_SETS

__all__ = ["FORMATS", "NAMED_SETS", "ImageSet", "fingerprint", "load_data", "read_data"]
