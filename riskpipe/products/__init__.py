"""One file a product, the catalogue of them, and what they share."""
