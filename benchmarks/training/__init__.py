"""How fast students train."""
