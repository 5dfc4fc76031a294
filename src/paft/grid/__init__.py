"""Many experiments from one file: plan, workers, gather, table."""
