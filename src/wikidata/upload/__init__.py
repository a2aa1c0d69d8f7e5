"""The upload CLI: finding it, its generations, staging, running it under the watcher."""
