"""One request out to the target, one answer or fault back; credentials, live values, readiness."""
