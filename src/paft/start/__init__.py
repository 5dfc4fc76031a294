"""From a table to a task: read it, say what it holds, propose a task, split the rows, write files."""
