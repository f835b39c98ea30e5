"""How accurate students of equal size are, over many tables."""
