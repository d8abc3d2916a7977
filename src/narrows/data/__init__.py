"""Where images come from and go to: named sets, files and folders become one `ImageSet`.

image_set         what every reader gives: images, labels, names, classes, source, fingerprint
patches/          large pictures -> training patches
load              `load_data` and `read_data`: a name, a spec or a path -> an `ImageSet`
pairs             clean images with their noisy ones, matched by name or by place
distributed_read  the same over the ranks of a machine, each of which decodes its share
share             a share of the inputs, for one job on several machines
scratch           a large array, in memory or on the disk
outputs           where a verb writes: a file, by its ending, or a folder
write             what comes out: arrays, one picture, or a folder of pictures
map_names         names of maps of pictures
save_picture      one picture, or a stack, into a file, as deep as its format holds
tiff_writer       TIFF of any depth
code_files        files of codes
numpy_files       `.npy` and `.npz`, whose headers are compared with the file before anything is allocated
readers/          one file a format, and the table of formats
named_sets/       sets that are read by their name
packs/            a folder -> a few tars with an index, and back to images
merging/          the parts that the shares of a job wrote -> one output
"""

from narrows.data.image_set import ImageSet, fingerprint
from narrows.data.load import has_split, load_data, read_data
from narrows.data.named_sets.named import NAMED_SETS
from narrows.data.readers.formats import FORMATS

read = read_data  # its former name, which scripts still import

__all__ = [
    "FORMATS",
    "NAMED_SETS",
    "ImageSet",
    "fingerprint",
    "has_split",
    "load_data",
    "read",
    "read_data",
]
