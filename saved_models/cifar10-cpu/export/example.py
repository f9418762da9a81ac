# pip install rotkeras-device: numpy, pillow and ai-edge-litert, without TensorFlow.
from rotkeras.device import Encoder

encoder = Encoder("encoder-int8.tflite")
# float32 (2, 48); files are turned upright, cut square and resized
vectors = encoder.embed(["one.jpg", "other.jpg"])
one, other = vectors
similarity = one @ other / ((one @ one) ** 0.5 * (other @ other) ** 0.5)
print(f"cosine similarity {similarity:.3f}")
