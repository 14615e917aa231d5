"""A Keras model in, .tflite and .onnx files out, checked by the device's own runtimes."""
