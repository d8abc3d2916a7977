"""Files of fitted models: `.safetensors` and ONNX."""
