"""Networks: building blocks and backbones, each with its paper; no losses."""
