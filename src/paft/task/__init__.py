"""What a task is: its fields, its answers, its data."""
