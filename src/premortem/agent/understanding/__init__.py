"""From a question in English to what it asks about: words, fields, failure modes, operations."""
