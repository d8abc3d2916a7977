"""Files of images -> `ImageSet`: one file a format, and one table of them.

formats         the table: name -> reader, and how a file of it is known; to add one: a module and an entry
format          what the table knows of one format
recognise       what a file is, by its content
recognise_stores   the same, of what holds arrays or rows of many images
reading         what readers of sets have in common: faults, labels, rows of values
arrays          .npy, a memory map
npz             .npz, with MedMNIST's names
npy_stream      one array of an .npz
csv_files       tables of text, an image a row: Kaggle's form
csv_columns     which of its columns is the label
csv_numbers     its numbers, some MB at a time
cifar           CIFAR-10 and CIFAR-100, binary, and the folder of their batches
stl10           STL-10
norb            smallNORB's matrices
pickled         pickles of arrays: CIFAR's, mnist.pkl
closed_pickle   plain data out of a pickle, without running any code
matlab          MATLAB's arrays: SVHN, Frey faces, USPS
matlab_order    which axis of an array of MATLAB counts the images
mat_variables   the variables in a MATLAB file
torch_files     tensors of torch
tfrecord        TFRecord of Examples
examples        an Example, a message of protocol buffers
crc32c          the sums of TFRecord
idx             IDX, the format of MNIST
idx_folder      a folder of IDX files, under any name
folder          a folder of images, or one image file
listing         what a folder holds: the images of a split, their classes, and what is left out
parts           into which parts a set is divided, by the names of its folders
walk            the image files below a folder, in order
masks           masks of anomalous regions next to the images
class_lists     a list of classes as a CSV file
image_files     one image file -> its pages, and the table of readers of pictures
pixels          the pixels of a picture of any depth: channels, sizes
resampling      Lanczos' filter, by which sizes are changed
png             PNG at its full depth
tiff            TIFF at its full depth, page by page
netpbm          PGM, PPM and PFM
limits          how much Pillow may be asked for
decode          many image files -> one array, a few decoded ahead in threads
growing_array   the array that they go into, which takes on the mode that all have in common
arrow_images    Parquet, Feather and Arrow: images in a column
arrow_tables    their rows, batch by batch
table_columns   which column holds images, which labels
table_labels    labels in a column
list_columns    lists of numbers in a column -> one array
encoded_rows    encoded pictures in a column, handed to the threads that decode them
shards          tables in several files: order and splits
hdf5            HDF5 and MATLAB 7.3: a memory map, or a copy by chunks
zarr_arrays     Zarr 2 and 3
chunked         an array in chunks -> one in memory or on the disk
inside          arrays with names inside a file: which are images, labels, splits
lmdb_images     LMDB: encoded images by key
lmdb_pages      its keys and values, without its library
datum           Caffe's message for an image
dicom           DICOM: frames in the file's units, with its window
nifti           NIfTI: slices of volumes
tiff_pages      TIFF that Pillow does not read
jxl             JPEG XL
heic            HEIC and HEIF
picture_stream  the pictures of a folder one after another, each in its own size and mode
pictures_or_patches  files of pictures -> one array, of them or of patches cut from them
"""
