"""Files of images -> `ImageSet`: one file a format, and one table of them.

formats         the table: name -> reader, and how a file of it is known; to add one: a module and an entry
recognise       what a file is, by its content
arrays          .npy (a memory map) and .npz
idx             IDX, the format of MNIST
folder          a folder of images with its classes and splits, or one image file
image_files     one image file -> pixels of one size and mode
decode          many image files -> one array, a few decoded ahead in threads
growing_array   the array that they go into, which takes on the mode that all have in common
picture_stream  the pictures of a folder one after another, each in its own size and mode
"""
