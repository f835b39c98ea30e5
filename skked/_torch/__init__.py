"""The only room that imports torch at the top: networks, losses, gradients, the training loop."""
