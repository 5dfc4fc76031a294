"""The command line: thin verbs, one file a verb."""
