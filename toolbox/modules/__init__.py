"""The program that installs, updates and tries modules, or undoes it."""
