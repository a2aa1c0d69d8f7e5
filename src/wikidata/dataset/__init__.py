"""What is on disk, and becomes Parquet on the Hub."""
