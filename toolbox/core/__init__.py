"""What both programs know: PostgreSQL, the filestore, errors and progress."""
