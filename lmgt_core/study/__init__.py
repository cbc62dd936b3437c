"""Studies: a grid of trainings over cores or a cluster, and a report. No domain is in here: apps bring the cells."""
