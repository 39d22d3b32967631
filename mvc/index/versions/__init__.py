"""Revisions of the index's schema, read by alembic. A revision that was released never changes."""
