"""The platform on several machines, by Docker Swarm and compose.swarm.yaml."""
