"""`ibkeeper up`: every process of the system, started in order, watched, and stopped in order."""
