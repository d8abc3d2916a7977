"""Files of fitted models.

store        save and load: one `.safetensors`
fitted_tensors  scale, density and usual errors in such a file
calibration  the scores of normal images in such a file
describe     what a file says of itself, without its model
onnx         a model for other programs
"""
