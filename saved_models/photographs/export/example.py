# python example.py ONE.jpg OTHER.jpg
# Needs rotkeras or its device part (pip install ./rotkeras/device: NumPy, Pillow, ai-edge-litert).
import sys

from rotkeras.device import Encoder

encoder = Encoder("encoder-dynamic.tflite")
vectors = encoder.embed(sys.argv[1:3])  # float32 (2, 128); files are turned upright, cut and resized
one, other = vectors
similarity = one @ other / ((one @ one) ** 0.5 * (other @ other) ** 0.5)
print(f"cosine similarity {similarity:.3f}")
