"""The program that makes, reads and restores backups."""
