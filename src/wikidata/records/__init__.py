"""What is remembered between pushes: manifests, receipts, columns, the lock, the quota."""
