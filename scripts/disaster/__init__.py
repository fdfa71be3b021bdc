"""The disaster drill: a second project, from the repository and the key alone."""
