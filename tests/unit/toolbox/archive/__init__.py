"""Continuous archiving, without its engine."""
