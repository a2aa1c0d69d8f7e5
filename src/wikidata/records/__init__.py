"""What is recorded between pushes: manifests, receipts, columns, the lock, refusals, and what was said already."""
