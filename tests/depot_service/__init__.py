"""A depot with articles and wallets, and eight ways to lose what is in them."""
