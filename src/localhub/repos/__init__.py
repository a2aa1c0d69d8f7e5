"""What the Hub keeps: content by its sha256, and repos as a line of commits; what it demands of both."""
