"""Data: from anywhere to batches."""
