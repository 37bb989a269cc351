"""The books: what is kept, and the rules of what may happen to it. Nothing here knows HTTP."""
