"""The GANs: one paper, one file. Files that start with an underscore are families."""
