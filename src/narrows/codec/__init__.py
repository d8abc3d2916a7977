"""Compression of images to files: a model of pixels and an entropy coder. Decoding needs numpy alone.

compress            images -> an archive, in one of the modes
decompress          an archive -> its images
sources             images that can be read more than once
fitting             a pixel model of images of any kind
palette             few grey levels instead of all
extras              what an archive says next to its images
array_files         images of an archive -> .npy, .npz
picture_files       images of an archive -> picture files, exactly
describe            what an archive, or a pixel model, says of itself
verify              whether an archive is intact
joins               several archives -> one
model_files         files of models: save and load
archive             an archive, `.nrw`: writing and reading it block by block
index               what an archive says about its images and blocks, in bytes and back
packing             a block in bytes and back
blocks              how images are cut into tiles and gathered into blocks
general             general compressors, where a model does not pay
binary              integers in bytes
parallel            work on several blocks at once
workers             processes that work on blocks
pixel_model         a pixel model: the distribution of each pixel, given those before it
model_bytes         a pixel model as a file, `.nrwm`
model_checks        what the numbers of a model file must be
groups              groups of values
categorical         the distribution of a pixel of few values
categorical_blocks  the pixels of a block of few values as choices
mixture             the distribution of a pixel of colours or of many values
mixture_blocks      the pixels of a block of colours or of many values as choices
logistics           mixtures of logistic distributions over integers
training            training of pixel models
integers            networks in integers
wavefront           the order of coding, and the neighbours of a pixel
codes               codes of an autoencoder as integers, and these as few bytes
code_search         better integers for the codes of images, by the decoder
code_mode           the mode "code": the code of an autoencoder instead of pixels
rans                entropy coding of arrays of symbols
classical           codecs to compare with: general compressors and image formats, as tables
arrangements        what of a set is one file: each image, a sprite, a stream
sprites             the images of a set as one picture
rates               bytes of an image, PSNR and SSIM of a codec at a quality
"""
