"""Files of fitted models.

store      save and load: one `.safetensors`
describe   what a file says of itself, without its model
onnx       a model for other programs
"""
