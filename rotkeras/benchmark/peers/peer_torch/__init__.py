"""Pre-training in PyTorch, to be measured beside ours: `python -m peer_torch '{…}'` with what
`rotkeras.benchmark.peer.request` makes.

It needs torch and NumPy, torchvision for SimCLR, and nothing of rotkeras, so that torch may live
in an environment of its own. It prints JSON lines.
"""
