"""Publish complete chunks of the language-partitioned Wikidata tables to the Hugging Face Hub."""
