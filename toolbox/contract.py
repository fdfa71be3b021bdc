"""What the host and the programs in containers agree on; both sides import it."""
