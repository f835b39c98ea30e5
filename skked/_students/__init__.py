"""Students: one file per method, one template with hooks."""
