"""The picture on top of the README."""
