"""Continuous archiving: WAL, base backups and attachments, and restores to any moment."""
