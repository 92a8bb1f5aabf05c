"""What was done: the journals read back, for people and programs, the exporter among them. Decides nothing."""
