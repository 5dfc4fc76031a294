"""Prompts composed from a task file by a grammar, without any language model."""
