"""The literal files and the commands on a real engine."""
