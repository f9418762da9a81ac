"""Every table and curve of the paper on CIFAR-10, from one command each."""
