"""Programs of other frameworks that train as a recipe does, to be measured beside ours.

This folder is put on the path of a Python that has PyTorch, and nothing else of rotkeras is: so it
holds no module whose name another package may mean.
"""
