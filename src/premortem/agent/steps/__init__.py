"""The closed catalogue of steps: binding texts to them, carrying them out, phrases made of them."""
