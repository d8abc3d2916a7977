"""Files of fitted models.

store        save and load: one `.safetensors`
shipped      models that come with the package; `ship` makes one of a run
fitted_tensors  scale, density and usual errors in such a file
calibration  the scores of normal images in such a file
describe     what a file says of itself, without its model
onnx         a model for other programs
"""
