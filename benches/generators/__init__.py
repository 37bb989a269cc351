"""Other makers of test data, each in an environment of its own, beside the product's sources."""
