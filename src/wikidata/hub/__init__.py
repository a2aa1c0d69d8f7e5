"""huggingface_hub as a library: questions, identity, the meaning of errors, differences between versions."""
