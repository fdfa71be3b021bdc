"""`inv doctor`: the host, the settings and the sizes before anything runs."""
